using System.Diagnostics;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Netlink;

namespace ConntrackPS.Diagnosis.Grouping;

/// <summary>Counts entries by group: those of a table, in memory that groups take and entries don't, or single ones.</summary>
/// <remarks>Used by one thread.</remarks>
public sealed class GroupMeasurement
{
    private readonly GroupOptions _options;
    private readonly GroupContext _context;
    private readonly GroupTable _groups;
    private ConntrackFilter? _filter;
    private string? _namespace;
    private double? _seconds;

    /// <summary>Starts with nothing counted.</summary>
    /// <exception cref="ArgumentException">No property to group by is given.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A prefix is longer than an address.</exception>
    public GroupMeasurement(GroupOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.GroupBy.Count == 0)
            throw new ArgumentException("There is no property to group by.", nameof(options));
        _options = options;
        _context = new GroupContext(options.Prefix, options.PrefixIPv6);
        _groups = new GroupTable(new GroupIndex(options.GroupBy, _context));
    }

    /// <summary>Entries counted.</summary>
    public long Count => _groups.Count;

    /// <summary>True where any entry had counters of packets and bytes.</summary>
    internal bool HasCounters
    {
        get
        {
            for (int group = 0; group < _groups.Index.Count; group++)
            {
                if (_groups[group].WithCounters > 0)
                    return true;
            }

            return false;
        }
    }

    /// <summary>How often the table was resized meanwhile, upon which it was counted again.</summary>
    internal int Repeats { get; private set; }

    /// <summary>Counts one entry.</summary>
    public void Add(ConntrackEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        _groups.Add(entry);
    }

    /// <summary>Counts the entries of a table.</summary>
    /// <param name="table">The table.</param>
    /// <param name="filter">Which entries; null for all.</param>
    /// <param name="stop">Ends the reading at once.</param>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    /// <exception cref="IncompleteListingException">Entries may be missing from what was counted, which stands.</exception>
    public void Read(ConntrackTable table, ConntrackFilter? filter = null, CancellationToken stop = default)
    {
        Begin(table, filter);
        if (Pass(table, _filter!, new CountingSink(_groups), stop) is { } incomplete)
            throw incomplete;
    }

    /// <summary>Counts the entries of a table twice, and notes what changed between; takes memory for entries too, about
    /// 44 bytes each, and of all that may come to match the filter, whatever their state, mark, age and so on.</summary>
    /// <param name="table">The table.</param>
    /// <param name="interval">From the beginning of one pass to that of the next; longer where the first takes longer.</param>
    /// <param name="filter">Which entries; null for all.</param>
    /// <param name="stop">Ends the reading and the waiting at once.</param>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    /// <exception cref="IncompleteListingException">Entries may be missing from what was counted, which stands; how many began
    /// and ended is not to be trusted.</exception>
    public void ReadTwice(ConntrackTable table, TimeSpan interval, ConntrackFilter? filter = null, CancellationToken stop = default)
    {
        Begin(table, filter);
        EntryHistory history = new();
        long started = Stopwatch.GetTimestamp();
        ConntrackFilter followed = _filter!.SteadyPart();
        ConntrackFilter? counted = _filter.IsSteady ? null : _filter;
        IncompleteListingException? first = Pass(table, followed, new NotingSink(_groups, history, counted), stop);
        if (interval - Stopwatch.GetElapsedTime(started) is var rest && rest > TimeSpan.Zero)
            stop.WaitHandle.WaitOne(rest);
        stop.ThrowIfCancellationRequested();
        _seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;

        // What the first pass may have missed is not new: all that it ever moved would pass for the interval's.
        IncompleteListingException? second = Pass(table, followed, new ComparingSink(_groups, history, counted, countsNew: first is null), stop);
        foreach (int group in history.UnseenTags())
        {
            if (group != NotingSink.Uncounted)
                _groups[group].Ended++;
        }

        if ((first ?? second) is { } incomplete)
            throw incomplete;
    }

    /// <summary>The groups that are wanted, in the wanted order.</summary>
    public IEnumerable<ConntrackGroup> Groups()
    {
        foreach (int group in GroupRanking.Rank(_groups, _options))
        {
            GroupKey key = new(_options.GroupBy, _groups.Index.ValuesOf(group), _context, _filter);
            yield return new ConntrackGroup(key, _groups[group], _groups.Count, _seconds, _namespace);
        }
    }

    private void Begin(ConntrackTable table, ConntrackFilter? filter)
    {
        ArgumentNullException.ThrowIfNull(table);
        _groups.Clear();
        (_filter, _namespace) = (filter ?? new ConntrackFilter(), table.NetworkNamespace?.Name);
    }

    /// <returns>What is to be thrown once all is counted, where entries may be missing; null where none are.</returns>
    private IncompleteListingException? Pass(ConntrackTable table, ConntrackFilter filter, CountingSink sink, CancellationToken stop)
    {
        using EntryScan scan = table.Scan(filter, sink);
        using CancellationTokenRegistration registration = stop.Register(scan.Cancel);
        try
        {
            while (scan.Read())
            {
            }

            return null;
        }
        catch (IncompleteListingException exception)
        {
            return exception;
        }
        finally
        {
            Repeats += scan.Repeats;
        }
    }
}

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

    public bool TakesInterrupted => false;

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
