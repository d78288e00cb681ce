using ConntrackPS.Conntrack;
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

/// <summary>Counts, and notes each entry for the next pass.</summary>
internal sealed class NotingSink(GroupTable groups, EntryHistory history) : CountingSink(groups)
{
    public override void Take(ConntrackEntry entry) => history.Add(entry, tag: Groups.Add(entry));

    public override void Restart()
    {
        base.Restart();
        history.Clear();
    }
}

/// <summary>Counts, and sums up what changed since the first pass.</summary>
internal sealed class ComparingSink : CountingSink
{
    private readonly EntryHistory _history;
    private readonly bool _countsNew;

    /// <param name="groups">The groups of the first pass.</param>
    /// <param name="history">What it noted.</param>
    /// <param name="countsNew">Whether what entries moved counts that the first pass did not note: all of it, which is wrong
    /// where they may have come to match the filter late, or been missed.</param>
    public ComparingSink(GroupTable groups, EntryHistory history, bool countsNew)
        : base(groups)
    {
        (_history, _countsNew) = (history, countsNew);
        Restart();
    }

    public override void Take(ConntrackEntry entry)
    {
        ref GroupTotals totals = ref Groups[Groups.Add(entry)];
        if (!_history.See(entry, out ulong packets, out ulong bytes))
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
