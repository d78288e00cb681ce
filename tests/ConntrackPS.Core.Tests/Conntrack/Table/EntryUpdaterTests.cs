using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>Changes entries one by one, and never another one. conntrack shows the result.</summary>
public sealed class EntryUpdaterTests : IDisposable
{
    private readonly NetworkNamespaceFixture _ns = new();

    public void Dispose() => _ns.Dispose();

    [Fact]
    public void Exactly_the_given_entries_change()
    {
        TableFiller.Create(_ns, new RandomTable(RandomTable.DefaultSeed, [], withLabels: false).Make(900));
        List<ConntrackEntry> entries = [.. _ns.Table.Read()];
        HashSet<uint?> chosen = [.. entries.Where((_, index) => index % 3 == 0).Select(entry => entry.Id)];
        using EntryUpdater updater = _ns.Table.CreateUpdater(keepChanged: true);
        foreach (ConntrackEntry entry in entries.Where(entry => chosen.Contains(entry.Id)))
            updater.Add(EntryKey.Of(entry), new EntryChange { Mark = new MaskedMark(0xabc) }, entry.Id!);
        updater.Flush();
        Assert.Equal((chosen.Count, 0L, 0L), (updater.Changed, updater.AlreadyGone, updater.Failed));
        Assert.Equal(chosen.Order(), updater.TakeResults().Select(result => (uint?)result.Entry).Order());
        Assert.Equal(
            entries.Select(entry => (entry.Id, chosen.Contains(entry.Id) ? 0xabcu : entry.Data.Mark)).Order(),
            ConntrackTool.ListXml(_ns).Select(flow => (flow.Id, (uint)(flow.Mark ?? 0))).Order());
    }

    public static TheoryData<EntryChange> Changes => new(
        new EntryChange { Mark = new MaskedMark(99) },
        new EntryChange { TimeoutSeconds = 0 },
        new EntryChange { TimeoutSeconds = 77 },
        new EntryChange { SetStatus = ConntrackStatus.Assured },
        new EntryChange { State = ConntrackState.Close });

    /// <summary>The kernel's request has no id.</summary>
    [Theory]
    [MemberData(nameof(Changes))]
    public void A_newcomer_with_the_same_tuple_is_left_alone(EntryChange change)
    {
        ConntrackEntry flow = Entries.Any().WithState(ConntrackState.Established);
        TableFiller.Create(_ns, flow);
        EntryKey old = EntryKey.Of(_ns.Table.Read().Single());
        ConntrackEntry newcomer = ReplaceByNewcomer(old, flow);
        using EntryUpdater updater = _ns.Table.CreateUpdater(keepChanged: true);
        updater.Add(old, change, "old");
        updater.Flush();
        Assert.Equal((0L, 1L, 0L), (updater.Changed, updater.AlreadyGone, updater.Failed));
        Assert.Empty(updater.TakeResults());
        FlowRecord shown = Assert.Single(ConntrackTool.ListXml(_ns), entry => entry.Protocol == 6);
        Assert.Equal((newcomer.Id, 0, "ESTABLISHED", false), (shown.Id, (int)(shown.Mark ?? 0), shown.State, shown.IsAssured));
        Assert.InRange(shown.Timeout!.Value, Entries.LongTimeout - 60, Entries.LongTimeout);
    }

    /// <summary>The same memory address, and so the same id. But a different translation distinguishes them.</summary>
    [Fact]
    public void A_newcomer_whose_reply_differs_is_left_alone_whatever_its_id()
    {
        TableFiller.Create(_ns, Entries.Any().WithSourceNat("203.0.113.1", 1000));
        EntryKey old = EntryKey.Of(_ns.Table.Read().Single());
        _ns.Table.Clear();
        TableFiller.Create(_ns, Entries.Any().WithSourceNat("203.0.113.1", 1001));
        ConntrackEntry newcomer = _ns.Table.Read().Single();
        using EntryUpdater updater = _ns.Table.CreateUpdater();
        updater.Add(old with { Id = newcomer.Id }, new EntryChange { Mark = new MaskedMark(99) }, "old");
        updater.Add(old with { Id = null }, new EntryChange { Mark = new MaskedMark(99) }, "old");
        updater.Flush();
        Assert.Equal((0L, 2L, 0L), (updater.Changed, updater.AlreadyGone, updater.Failed));
        Assert.Equal(0u, Assert.Single(ConntrackTool.ListXml(_ns)).Mark ?? 0);
    }

    [Fact]
    public void What_was_added_goes_out_by_itself_after_a_while()
    {
        TableFiller.Fill(_ns, 1);
        using EntryUpdater updater = _ns.Table.CreateUpdater();
        updater.Add(EntryKey.Of(_ns.Table.Read().Single()), new EntryChange { Mark = new MaskedMark(5) }, "one");
        Assert.True(Wait.Until(() => ConntrackTool.ListXml(_ns)[0].Mark == 5));
    }

    private ConntrackEntry ReplaceByNewcomer(EntryKey old, ConntrackEntry flow)
    {
        for (int blocker = 1; ; blocker++)
        {
            using EntryDeleter deleter = _ns.Table.CreateDeleter();
            foreach (ConntrackEntry entry in _ns.Table.Read(new ConntrackFilter { Protocol = [IPProtocol.Tcp] }))
                deleter.Add(EntryKey.Of(entry), entry);
            deleter.Flush();
            TableFiller.Create(_ns, Entries.Udp("192.0.2.9", blocker, "198.51.100.9", 1), flow);
            ConntrackEntry newcomer = _ns.Table.Read(new ConntrackFilter { Protocol = [IPProtocol.Tcp] }).Single();
            if (newcomer.Id != old.Id)
                return newcomer;
        }
    }
}
