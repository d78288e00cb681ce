using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Events;
using ConntrackPS.Tests.Infrastructure;
using Xunit.Abstractions;

namespace ConntrackPS.Tests.Events;

/// <summary>The socket's program passes every matching event.</summary>
public sealed class EventFilterTests : IDisposable
{
    private const int Seed = 20261122;

    private readonly NetworkNamespaceFixture _ns = new();
    private readonly ITestOutputHelper _output;

    public EventFilterTests(ITestOutputHelper output)
    {
        _output = output;
        _ns.SetConntrackSetting("nf_conntrack_events", 1);
    }

    public static TheoryData<string, ConntrackFilter, int> Translated => new()
    {
        { "source", new() { TranslatedSourceAddress = [AddressPrefix.Parse("203.0.113.1")] }, 2 },
        { "destination", new() { TranslatedDestinationAddress = [AddressPrefix.Parse("203.0.113.1")] }, 1 },
        { "source destination", new() { TranslatedAddress = [AddressPrefix.Parse("203.0.113.1")] }, 3 },
        { "source", new() { TranslatedSourcePort = [new(7777)] }, 2 },
        { "destination", new() { TranslatedDestinationPort = [new(7777)] }, 1 },
        { "source destination", new() { TranslatedPort = [new(7000, 8000)] }, 3 },
        { "source destination", new() { AnyNat = true }, 4 },
    };

    public void Dispose() => _ns.Dispose();

    /// <summary>The socket filter and the check here agree, for random events.</summary>
    [Fact]
    public void The_socket_filter_hides_nothing_that_matches()
    {
        _output.WriteLine($"seed {Seed}");
        Random random = new(Seed);
        List<ConntrackEntry> entries = new RandomTable(Seed, [], withLabels: false).Make(120);
        RandomFilters filters = new(random, entries);
        int matching = 0, compiled = 0;
        for (int round = 0; round < 60; round++)
        {
            _ns.Table.Clear();
            ConntrackFilter filter = filters.Next();
            compiled += EventFilterCompiler.Compile(filter) is null ? 0 : 1;
            using EventSubscription filtered = new(_ns.Namespace, new EventOptions { Filter = filter, EventType = [ConntrackEventType.New] });
            using EventSubscription whole = new(_ns.Namespace, new EventOptions { Filter = filter, EventType = [ConntrackEventType.New], UseKernelFilter = false });
            TableFiller.Create(_ns, entries);
            List<uint?> expected = Matching(whole, filter), actual = Matching(filtered, filter);
            Assert.True(expected.SequenceEqual(actual), $"{filter}: {expected.Count} expected, {actual.Count} came");
            matching += expected.Count;
        }

        Assert.True(matching > 60, $"only {matching} matches");
        Assert.True(compiled > 30, $"only {compiled} filters had a program");
    }

    /// <summary>The program does not check whether an end is translated. It passes events with the address or port in that place.</summary>
    [Theory]
    [MemberData(nameof(Translated))]
    public void Events_of_translated_ends_pass_and_few_others(string expected, ConntrackFilter filter, int passing)
    {
        Dictionary<string, ConntrackEntry> entries = new()
        {
            ["source"] = Entries.Udp("192.0.2.1", 4000, "198.51.100.7", 53).WithSourceNat("203.0.113.1", 7777),
            ["destination"] = Entries.Udp("192.0.2.2", 4000, "198.51.100.7", 53).WithDestinationNat("203.0.113.1", 7777),
            ["untranslated"] = Entries.Udp("203.0.113.1", 7777, "198.51.100.8", 53),
            ["other"] = Entries.Udp("192.0.2.3", 4000, "198.51.100.8", 53),
        };
        using EventSubscription subscription = new(_ns.Namespace, new EventOptions { Filter = filter, EventType = [ConntrackEventType.New] });
        TableFiller.Create(_ns, entries.Values);
        List<string> came = [];
        subscription.ReadAll(message => came.Add(EventDecoder.Decode(message)!.SourceAddress!));
        Assert.Equal(passing, came.Count);
        Assert.Equal(
            expected.Split(' '),
            entries.Where(pair => filter.Matches(pair.Value) && came.Contains(pair.Value.SourceAddress!)).Select(pair => pair.Key));
    }

    /// <summary>net.core.optmem_max limits the program, as it does by default before Linux 6.8. A filter that does not fit, or is too long
    /// for any kernel, is checked here.</summary>
    [Theory]
    [InlineData(20480, 20, true)]
    [InlineData(20480, 80, false)]
    [InlineData(20480, 400, false)]
    [InlineData(131072, 80, true)]
    [InlineData(131072, 2000, false)]
    [InlineData(256, 1, false)]
    public void A_filter_of_many_addresses_hears_what_matches_and_nothing_else(int room, int addresses, bool hasProgram)
    {
        _ns.Exec("sysctl", "-qw", $"net.core.optmem_max={room}");
        ConntrackFilter filter = new() { SourceAddress = [.. Enumerable.Range(0, addresses).Select(i => AddressPrefix.Parse($"10.1.{i / 256}.{i % 256}"))] };
        using (EventSubscription subscription = new(_ns.Namespace, new EventOptions { Filter = filter }))
            Assert.Equal(hasProgram, subscription.HasProgram);
        using EventStream stream = new(new EventOptions { Filter = filter, EventType = [ConntrackEventType.New] }, _ns.Namespace);
        string last = filter.SourceAddress[^1].ToString();
        TableFiller.Create(
            _ns, Entries.Udp("10.2.0.1", 1, "198.51.100.7", 53), Entries.Udp(last, 1, "198.51.100.7", 53), Entries.Udp("10.2.0.2", 1, "198.51.100.7", 53));
        Assert.Equal(last, Assert.Single(stream.Take(TimeSpan.FromSeconds(20))).SourceAddress);
        Assert.Empty(stream.Take(TimeSpan.FromMilliseconds(100)));
    }

    private static List<uint?> Matching(EventSubscription subscription, ConntrackFilter filter)
    {
        List<uint?> ids = [];
        subscription.ReadAll(message =>
        {
            if (EventDecoder.Decode(message) is { } happened && filter.Matches(happened))
                ids.Add(happened.Id);
        });
        Assert.Equal(0u, subscription.TakeLosses());
        return ids;
    }
}
