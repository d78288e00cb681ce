using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Diagnosis.Grouping;

/// <summary>Counts the entries of a pass; all are read into the same object.</summary>
internal class CountingSink(GroupTable groups) : IEntrySink
{
    private readonly ConntrackEntry _entry = new();

    protected GroupTable Groups { get; } = groups;

    public ConntrackEntry NextEntry()
    {
        _entry.Reset();
        return _entry;
    }

    public bool TakesSpoilt => false;

    public virtual void Take(ConntrackEntry entry) => Groups.Add(entry);

    public virtual void Restart() => Groups.Clear();
}

/// <summary>Counts what a filter lets through, and notes each entry for the next pass: those too that may match it then.
/// </summary>
internal sealed class NotingSink(GroupTable groups, EntryHistory history, ConntrackFilter? filter) : CountingSink(groups)
{
    /// <summary>The tag of an entry that was not counted.</summary>
    public const int Uncounted = -1;

    public override void Take(ConntrackEntry entry) =>
        history.Add(entry, tag: filter?.Matches(entry) != false ? Groups.Add(entry) : Uncounted);

    public override void Restart()
    {
        base.Restart();
        history.Clear();
    }
}

/// <summary>Counts what a filter lets through, and sums up what changed since the first pass.</summary>
internal sealed class ComparingSink : CountingSink
{
    private readonly EntryHistory _history;
    private readonly ConntrackFilter? _filter;
    private readonly bool _countsNew;

    /// <param name="groups">The groups of the first pass.</param>
    /// <param name="history">What it noted.</param>
    /// <param name="filter">Which of the entries are counted; null for all.</param>
    /// <param name="countsNew">Whether what entries moved counts that the first pass did not note: all of it, which is wrong
    /// where it may have missed them.</param>
    public ComparingSink(GroupTable groups, EntryHistory history, ConntrackFilter? filter, bool countsNew)
        : base(groups)
    {
        (_history, _filter, _countsNew) = (history, filter, countsNew);
        Restart();
    }

    public override void Take(ConntrackEntry entry)
    {
        // Before anything else: an entry that matches no more has not ended.
        bool isKnown = _history.See(entry, out ulong packets, out ulong bytes);
        if (_filter?.Matches(entry) == false)
            return;
        ref GroupTotals totals = ref Groups[Groups.Add(entry)];
        if (!isKnown)
        {
            totals.Began++;
            if (!_countsNew)
                return;
        }

        totals.MovedPackets += packets;
        totals.MovedBytes += bytes;
    }

    public override void Restart()
    {
        Groups.ClearTotals();
        _history.Unsee();
    }
}
