using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>Two entries that the kernel can find by the same tuple: only the named one is shown, changed or deleted. conntrack shows the
/// result for both.</summary>
public sealed class CrossedTupleTests : IDisposable
{
    private readonly NetworkNamespaceFixture _ns = new();

    /// <summary>All kinds of crossed tuples, with the index of the named entry.</summary>
    public static TheoryData<string, int> Cases
    {
        get
        {
            TheoryData<string, int> cases = [];
            foreach (string name in Partners.Keys)
            {
                cases.Add(name, 0);
                cases.Add(name, 1);
            }

            return cases;
        }
    }

    private static Dictionary<string, Func<ConntrackEntry>> Partners => new()
    {
        ["a reply that comes from elsewhere"] = () => WithOtherReply(Esp()),
        ["the same, in a zone"] = () => WithOtherReply(Esp(), zone: 5),
        ["a translated source"] = () => Entries.Tcp("192.0.2.7", 4000, "10.0.0.1", 80).WithSourceNat("203.0.113.1", 999),
        ["a reply as it should be"] = Esp,
        ["a zone of the original direction"] = () => Esp().WithZone(TupleDirection.Original, 7),
        ["a zone of the reply direction"] = () => Esp().WithZone(TupleDirection.Reply, 7),
        ["ICMP"] = () => Entries.Icmp("192.0.2.7", "10.0.0.1", 8, 0, 77).WithDestinationNat("10.0.0.9"),
        ["IPv6"] = () => Entries.Udp("2001:db8::7", 4000, "2001:db8:1::1", 80).WithDestinationNat("2001:db8:1::9", 8080),
    };

    public void Dispose() => _ns.Dispose();

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_look_up_finds_the_one_that_is_named(string partner, int which)
    {
        ConntrackEntry named = Create(partner)[which];
        using EntryFinder finder = _ns.Table.CreateFinder();
        Assert.All(KeysOf(named), key => Assert.Equal(named.Id, finder.Find(key)?.Id));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_deletion_takes_the_one_that_is_named(string partner, int which)
    {
        foreach (int name in Enumerable.Range(0, 3))
        {
            ConntrackEntry[] both = Create(partner);
            using EntryDeleter deleter = _ns.Table.CreateDeleter();
            deleter.Add(KeysOf(both[which])[name], "named");
            deleter.Flush();
            Assert.Equal((1L, 0L, 0L), (deleter.Deleted, deleter.AlreadyGone, deleter.Failed));
            Assert.Equal([both[1 - which].Id], ConntrackTool.ListXml(_ns).Select(flow => flow.Id));
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_change_is_made_to_the_one_that_is_named(string partner, int which)
    {
        foreach (int name in Enumerable.Range(0, 3))
        {
            ConntrackEntry[] both = Create(partner);
            using EntryUpdater updater = _ns.Table.CreateUpdater();
            updater.Add(KeysOf(both[which])[name], new EntryChange { Mark = new MaskedMark(9) }, "named");
            updater.Flush();
            Assert.Equal((1L, 0L, 0L), (updater.Changed, updater.AlreadyGone, updater.Failed));
            Dictionary<uint, uint> marks = ConntrackTool.ListXml(_ns).ToDictionary(flow => flow.Id!.Value, flow => flow.Mark ?? 0);
            Assert.Equal((9u, 0u), (marks[both[which].Id!.Value], marks[both[1 - which].Id!.Value]));
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void What_is_gone_is_gone_though_the_other_one_is_there(string partner, int which)
    {
        ConntrackEntry[] both = Create(partner);
        using EntryDeleter deleter = _ns.Table.CreateDeleter();
        deleter.Add(EntryKey.Of(both[which]), "gone");
        deleter.Flush();
        EntryKey[] gone = KeysOf(both[which]);
        using EntryUpdater updater = _ns.Table.CreateUpdater();
        using EntryFinder finder = _ns.Table.CreateFinder();
        foreach (EntryKey key in gone)
        {
            deleter.Add(key, "gone");
            updater.Add(key, new EntryChange { TimeoutSeconds = 0 }, "gone");
            Assert.Null(finder.Find(key));
        }

        deleter.Flush();
        updater.Flush();
        Assert.Equal((1L, 3L, 0L), (deleter.Deleted, deleter.AlreadyGone, deleter.Failed));
        Assert.Equal((0L, 3L, 0L), (updater.Changed, updater.AlreadyGone, updater.Failed));
        Assert.Equal([both[1 - which].Id], ConntrackTool.ListXml(_ns).Select(flow => flow.Id));
    }

    /// <summary>Only packets are counted, so one of the two is a loopback flow.</summary>
    [Fact]
    public void Counters_become_0_of_the_one_that_is_named()
    {
        _ns.SetConntrackSetting("nf_conntrack_acct", 1);
        _ns.Exec("nft", "add table ip nat; add chain ip nat output { type nat hook output priority -100; }; add rule ip nat output udp dport 6000 redirect to :6001");
        _ns.Exec("bash", "-c", "echo > /dev/udp/127.0.0.1/6000");
        ConntrackEntry flow = Assert.Single(_ns.Table.Read(new ConntrackFilter { DestinationPort = [new PortRange(6000)] }));
        TableFiller.Create(_ns, CrossedTuples.Cross(flow));
        ConntrackEntry crossing = Assert.Single(_ns.Table.Read(), entry => entry.Reply == flow.Original);
        using EntryFinder finder = _ns.Table.CreateFinder();
        Assert.Equal(crossing.Id, finder.Find(EntryKey.Of(crossing), resetCounter: true)?.Id);
        Assert.Equal(1UL, CountOf(flow));
        Assert.Equal((flow.Id, 1UL), (finder.Find(EntryKey.Of(flow), resetCounter: true)?.Id, flow.OriginalPackets));
        Assert.Equal(0UL, CountOf(flow));

        ulong? CountOf(ConntrackEntry entry) => ConntrackTool.ListXml(_ns).Single(shown => shown.Id == entry.Id).Original.Packets;
    }

    [Fact]
    public void A_tuple_is_looked_up_in_either_direction_and_the_original_one_comes_first()
    {
        ConntrackEntry[] both = Create("a reply that comes from elsewhere");
        using EntryFinder finder = _ns.Table.CreateFinder();
        EntryKey tuple = new(both[0].Original, 0, null, null);
        Assert.Equal(both[0].Id, finder.FindEitherWay(tuple)?.Id);
        Assert.Equal(both[1].Id, finder.FindEitherWay(tuple with { Id = both[1].Id })?.Id);
        Assert.Equal(both[0].Id, finder.FindEitherWay(new EntryKey(both[0].Reply, 0, null, null))?.Id);
        Assert.Equal([both[0].Id, both[1].Id], finder.FindBothWays(tuple).Select(entry => entry.Id));
        Assert.Null(finder.FindEitherWay(tuple with { Id = 1 }));
        using EntryDeleter deleter = _ns.Table.CreateDeleter();
        deleter.Add(EntryKey.Of(both[0]), "first");
        deleter.Flush();
        Assert.Equal(both[1].Id, finder.FindEitherWay(tuple)?.Id);
    }

    /// <summary>No current kernel hides an entry from every lookup. The test disables the other lookups.</summary>
    [Fact]
    public void What_can_not_be_reached_is_an_error_and_not_gone()
    {
        ConntrackEntry[] both = Create("a reply that comes from elsewhere");
        using EntryDeleter deleter = new(UsualLookup(), _ns.Namespace, keepDeleted: false);
        using EntryUpdater updater = new(UsualLookup(), _ns.Namespace, keepChanged: false);
        deleter.Add(EntryKey.Of(both[0]), "hidden");
        updater.Add(EntryKey.Of(both[0]), new EntryChange { Mark = new MaskedMark(9) }, "hidden");
        deleter.Flush();
        updater.Flush();
        Assert.Equal((0L, 0L, 1L, 0L, 0L, 1L), (deleter.Deleted, deleter.AlreadyGone, deleter.Failed, updater.Changed, updater.AlreadyGone, updater.Failed));
        foreach (EntryResult result in (EntryResult[])[.. deleter.TakeResults(), .. updater.TakeResults()])
        {
            HiddenEntryException failure = Assert.IsType<HiddenEntryException>(result.Failure);
            Assert.Equal(("hidden", both[1].Id, Errno.Exists), (result.Entry, failure.Other.Id, failure.Errno));
            Assert.Contains(both[1].ToString(), failure.Message, StringComparison.Ordinal);
        }

        Assert.Equal(both.Select(entry => entry.Id).Order(), ConntrackTool.ListXml(_ns).Where(flow => flow.Mark is null or 0).Select(flow => flow.Id).Order());

        // After a real deletion it counts as gone.
        using EntryDeleter able = _ns.Table.CreateDeleter();
        able.Add(EntryKey.Of(both[0]), "first");
        able.Flush();
        deleter.Add(EntryKey.Of(both[0]), "hidden");
        deleter.Flush();
        Assert.Equal((0L, 1L, 1L), (deleter.Deleted, deleter.AlreadyGone, deleter.Failed));
    }

    private EntryLookup UsualLookup() => new(_ns.Namespace, "find an entry") { TriesUsualAddressOnly = true };

    /// <summary>The complete key, the key without an id, and without a reply.</summary>
    private static EntryKey[] KeysOf(ConntrackEntry entry) =>
        [EntryKey.Of(entry), EntryKey.Of(entry) with { Id = null }, EntryKey.Of(entry) with { Id = null, Reply = null }];

    /// <summary>Creates two entries that cross. Returns them as read from the table, with the partner first.</summary>
    private ConntrackEntry[] Create(string partner)
    {
        _ns.Table.Clear();
        ConntrackEntry first = Partners[partner]();
        TableFiller.Create(_ns, first, CrossedTuples.Cross(first));
        ConntrackEntry[] both = [.. _ns.Table.Read().OrderBy(entry => entry.Original != first.Original)];
        Assert.Equal(2, both.Length);
        return both;
    }

    private static ConntrackEntry Esp() => Entries.Generic((IPProtocol)50, "192.0.2.7", "10.0.0.1");

    private static ConntrackEntry WithOtherReply(ConntrackEntry entry, ushort zone = 0)
    {
        entry.Reply = entry.Reply with { Source = Entries.Address("10.0.0.9").Bits };
        entry.Zone = zone;
        return entry;
    }
}
