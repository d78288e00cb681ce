using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Netlink;

namespace ConntrackPS.Reporting;

/// <summary>The sums over the entries of one table, by what a report shows. Its memory grows with the groups, not with the entries.</summary>
/// <remarks>Only one thread may use it.</remarks>
internal sealed class TableTally
{
    private readonly int _top;
    private readonly TableComparison? _comparison;
    private readonly Dictionary<TallyKind, GroupMeasurement> _groups = [];

    /// <param name="top">The largest groups that are shown.</param>
    /// <param name="comparison">Compares each entry with an earlier table; null for none.</param>
    public TableTally(int top, TableComparison? comparison = null)
    {
        (_top, _comparison) = (top, comparison);
        Clear();
    }

    /// <summary>The number of entries.</summary>
    public long Count => _groups[TallyKind.Protocol].Count;

    /// <summary>True if any entry has packets and bytes.</summary>
    public bool HasCounters => _groups[TallyKind.Protocol].HasCounters;

    /// <summary>The result of the comparison, or null.</summary>
    public TableComparison? Comparison => _comparison;

    /// <summary>Counts an entry.</summary>
    public void Add(ConntrackEntry entry)
    {
        foreach (GroupMeasurement groups in _groups.Values)
            groups.Add(entry);
        _comparison?.See(entry);
    }

    /// <summary>Counts the entries of a table.</summary>
    /// <param name="table">The table.</param>
    /// <param name="stop">Stops the reading immediately.</param>
    /// <exception cref="OperationCanceledException">The reading was stopped.</exception>
    /// <exception cref="IncompleteListingException">Some entries may be missing. The counts stay available.</exception>
    public void Read(ConntrackTable table, CancellationToken stop)
    {
        using IEntryScan scan = table.Scan(new ConntrackFilter(), new Sink(this));
        scan.ReadToEnd(stop);
    }

    /// <summary>The largest groups, the largest first.</summary>
    public IEnumerable<ConntrackGroup> Largest(TallyKind kind) => _groups[kind].Groups().Take(_top);

    /// <summary>All groups with their numbers of entries.</summary>
    public Dictionary<string, long> Counts(TallyKind kind) =>
        _groups[kind].Groups().ToDictionary(group => group.Name, group => group.Count, StringComparer.Ordinal);

    private void Clear()
    {
        _comparison?.Restart();
        foreach ((TallyKind kind, string[] names) in ((TallyKind, string[])[])
        [
            (TallyKind.Source, ["SourceAddress"]),
            (TallyKind.Destination, ["DestinationAddress"]),
            (TallyKind.Service, ["Protocol", "DestinationPort"]),
            (TallyKind.Protocol, ["Protocol"]),
            (TallyKind.State, ["Protocol", "State"]),
        ])
        {
            _groups[kind] = new GroupMeasurement(new GroupOptions { GroupBy = [.. names.Select(GroupProperties.Named)] });
        }
    }

    private sealed class Sink(TableTally tally) : IEntrySink
    {
        private readonly ConntrackEntry _entry = new();

        public bool TakesInterrupted => false;

        public ConntrackEntry NextEntry()
        {
            _entry.Reset();
            return _entry;
        }

        public void Take(ConntrackEntry entry) => tally.Add(entry);

        public void Restart() => tally.Clear();
    }
}

/// <summary>The groupings of a report.</summary>
internal enum TallyKind
{
    Source,
    Destination,
    Service,
    Protocol,
    State,
}

/// <summary>Finds the entries that two tables have in common.</summary>
/// <param name="reference">The entries of the earlier table.</param>
internal sealed class TableComparison(IEnumerable<ConntrackEntry> reference)
{
    /// <summary>The ids by tuple. An entry of text can lack the id. Two entries with one tuple are two connections if their ids differ.</summary>
    private readonly Dictionary<ulong, uint?> _earlier = Index(reference);
    private readonly HashSet<ulong> _stayed = [];

    /// <summary>Entries that both tables have.</summary>
    public long Stayed => _stayed.Count;

    /// <summary>Entries that only the later table has.</summary>
    public long Began { get; private set; }

    /// <summary>Entries that only the earlier table has.</summary>
    public long Ended => _earlier.Count - _stayed.Count;

    /// <summary>Looks up an entry of the later table.</summary>
    public void See(ConntrackEntry entry)
    {
        ulong key = EntryFingerprint.OfTuple(entry);
        if (!_earlier.TryGetValue(key, out uint? id) || (id is { } known && IdOf(entry) is { } present && present != known) || !_stayed.Add(key))
            Began++;
    }

    /// <summary>Forgets the later table.</summary>
    public void Restart()
    {
        Began = 0;
        _stayed.Clear();
    }

    private static Dictionary<ulong, uint?> Index(IEnumerable<ConntrackEntry> reference)
    {
        Dictionary<ulong, uint?> ids = [];
        foreach (ConntrackEntry entry in reference)
            ids[EntryFingerprint.OfTuple(entry)] = IdOf(entry);
        return ids;
    }

    private static uint? IdOf(ConntrackEntry entry) => entry.Has(EntryFields.Id) ? entry.Data.Id : null;
}
