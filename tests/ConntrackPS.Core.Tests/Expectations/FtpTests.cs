using System.Net;
using System.Net.Sockets;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Events;
using ConntrackPS.Expectations;
using ConntrackPS.Expectations.Events;
using Make = ConntrackPS.Tests.Infrastructure.ExpectationSamples;

namespace ConntrackPS.Tests.Expectations;

/// <summary>The entries that the kernel's ftp helper creates for real control connections through a NAT router.</summary>
public sealed class FtpTests : IDisposable
{
    private static readonly TimeSpan WaitTimeout = TimeSpan.FromSeconds(20);

    private readonly FtpLab _lab = new();

    public void Dispose() => _lab.Dispose();

    [Fact]
    public void A_data_connection_is_expected_where_it_was_announced_and_comes()
    {
        using ExpectationWatcher watcher = new(_lab.Routing.Namespace, [ConntrackEventType.New, ConntrackEventType.Destroy]);
        (Socket client, Socket server) = _lab.Control();
        (Socket listener, IPEndPoint announced) = _lab.Port(client, server);
        Assert.Equal(FtpLab.Router, announced.Address.ToString());

        ConntrackExpectation expected = Assert.Single(new ExpectationTable(_lab.Routing.Namespace).Read());
        Assert.Equal(Make.Listed(_lab.Routing), Make.Shown([expected]));
        Assert.Equal((FtpLab.Server, FtpLab.Router, (ushort?)announced.Port), (expected.SourceAddress, expected.DestinationAddress, expected.DestinationPort));
        Assert.Equal((FtpLab.Client, FtpLab.Server, (ushort?)21), (expected.MasterSourceAddress, expected.MasterDestinationAddress, expected.MasterDestinationPort));
        Assert.Equal(("ftp", "nat-follow-master", TupleDirection.Reply), (expected.Helper, expected.Function, expected.NatDirection));
        Assert.Equal(((IPEndPoint)listener.LocalEndPoint!).Port, (int?)expected.NatPort);
        Assert.Contains($"dport={announced.Port} ftp", Assert.Single(Make.Proc(_lab.Routing)), StringComparison.Ordinal);

        _lab.ConnectBack(listener, announced);
        ConntrackEntry data = Assert.Single(
            new ConntrackTable(_lab.Routing.Namespace).Read(new ConntrackFilter { Status = ConntrackStatus.Expected }));
        Assert.Equal((FtpLab.Client, (ushort?)21), (data.MasterSourceAddress, data.MasterDestinationPort));
        Assert.Equal(FtpLab.Client, data.ReplySourceAddress);
        Assert.Empty(Make.Proc(_lab.Routing));

        ConntrackExpectationEvent[] events = Take(watcher, 2);
        Assert.Equal([ConntrackEventType.New, ConntrackEventType.Destroy], events.Select(happened => happened.EventType));
        Assert.All(events, happened => Assert.Equal(expected.Id, happened.Id));
        Assert.All(events, happened => Assert.Equal(Make.Shown([expected]), Make.Shown([happened])));
        Assert.Equal([1ul, 2ul], events.Select(happened => happened.Sequence));
    }

    [Fact]
    public void A_removed_expectation_is_made_again_from_what_was_listed()
    {
        ExpectationTable table = new(_lab.Routing.Namespace);
        (Socket client, Socket server) = _lab.Control();
        (Socket listener, IPEndPoint announced) = _lab.Port(client, server);
        ConntrackExpectation expected = Assert.Single(table.Read());
        List<SortedDictionary<string, string>> before = Make.Listed(_lab.Routing);
        using (ExpectationDeleter deleter = table.CreateDeleter())
        {
            deleter.Add(table.KeyOf(expected)!.Value, expected);
            deleter.Flush();
        }

        Assert.Empty(Make.Proc(_lab.Routing));
        using (ExpectationCreator creator = table.CreateCreator())
            creator.Create(new ExpectationTemplate().Make(expected));
        Assert.Equal(before, Make.Listed(_lab.Routing));

        // The data connection reaches the client, because it is translated.
        _lab.ConnectBack(listener, announced);
    }

    /// <summary>The translated address is longer than the client's own, so from that line on the router adjusts the sequence numbers of
    /// both directions. Without the adjustment the ends can't communicate.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_restored_control_connection_goes_on_only_with_its_shift_of_sequence_numbers(bool withShift)
    {
        ConntrackTable table = new(_lab.Routing.Namespace);
        (Socket client, Socket server) = _lab.Control();
        _lab.Port(client, server);
        ConntrackEntry entry = Assert.Single(table.Read());
        Assert.NotEqual(0, entry.OriginalSequenceOffsetAfter ?? 0);
        Assert.False(entry.LacksSequenceShift);
        ConntrackEntry saved = new EntryTemplate().Copy(entry);
        if (!withShift)
        {
            (saved.Details!.OriginalSequence, saved.Details.ReplySequence) = (null, null);
            Assert.True(saved.LacksSequenceShift);
        }

        table.Clear();
        using EntryCreator creator = table.CreateCreator();
        creator.Add(saved, saved);
        creator.Flush();
        Assert.Equal(1, creator.Created);
        ConntrackEntry restored = Assert.Single(table.Read());
        Assert.Equal(
            withShift ? (entry.OriginalSequencePosition, entry.OriginalSequenceOffsetBefore, entry.OriginalSequenceOffsetAfter) : (null, null, null),
            (restored.OriginalSequencePosition, restored.OriginalSequenceOffsetBefore, restored.OriginalSequenceOffsetAfter));
        if (withShift)
        {
            (Socket listener, IPEndPoint announced) = _lab.Port(client, server);
            _lab.ConnectBack(listener, announced);
            return;
        }

        // The server treats the start of the next line as a repetition, or its answers never arrive.
        (client.ReceiveTimeout, server.ReceiveTimeout) = (3000, 3000);
        Assert.NotEqual("NOOP\r\n", Heard(client, server, "NOOP"));
    }

    private static string? Heard(Socket from, Socket to, string line)
    {
        try
        {
            return FtpLab.Say(from, to, line);
        }
        catch (SocketException)
        {
            return null;
        }
    }

    private static ConntrackExpectationEvent[] Take(ExpectationWatcher watcher, int count)
    {
        List<ConntrackExpectationEvent> events = [];
        long deadline = Environment.TickCount64 + (long)WaitTimeout.TotalMilliseconds;
        while (events.Count < count && Environment.TickCount64 < deadline)
            events.AddRange(watcher.Take(TimeSpan.FromMilliseconds(200)));
        return [.. events];
    }
}
