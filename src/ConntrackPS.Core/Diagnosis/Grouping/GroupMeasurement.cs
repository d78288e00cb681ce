using System.Diagnostics;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Diagnosis.Grouping;

/// <summary>Counts entries by group: those of a table, using memory only per group and not per entry, or single ones.</summary>
/// <remarks>Only one thread may use it.</remarks>
public sealed class GroupMeasurement
{
    private readonly GroupOptions _options;
    private readonly GroupContext _context;
    private readonly GroupTable _groups;
    private ConntrackFilter? _filter;
    private string? _namespace;
    private double? _seconds;

    /// <summary>Creates an empty measurement.</summary>
    /// <exception cref="ArgumentException">There is no property to group by.</exception>
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

    /// <summary>The number of counted entries.</summary>
    public long Count => _groups.Count;

    /// <summary>True if any entry had packet and byte counters.</summary>
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

    /// <summary>The number of times that the table was resized during the count and counted again.</summary>
    internal int Repeats { get; private set; }

    /// <summary>Counts one entry.</summary>
    public void Add(ConntrackEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        _groups.Add(entry);
    }

    /// <summary>Forgets all counted entries.</summary>
    internal void Clear() => _groups.Clear();

    /// <summary>Counts the entries of a table.</summary>
    /// <param name="table">The table.</param>
    /// <param name="filter">The filter, or null for all entries.</param>
    /// <param name="stop">Stops the reading immediately.</param>
    /// <exception cref="OperationCanceledException">The reading was stopped.</exception>
    /// <exception cref="IncompleteListingException">Some entries may be missing from the counts. The counts stay available.</exception>
    public void Read(ConntrackTable table, ConntrackFilter? filter = null, CancellationToken stop = default)
    {
        Begin(table, filter);
        if (Pass(table, _filter!, new CountingSink(_groups), stop) is { } incomplete)
            throw incomplete;
    }

    /// <summary>Counts the entries of several network namespaces in one walk in the kernel.</summary>
    /// <param name="engine">The engine that was asked for.</param>
    /// <param name="namespaces">The network namespaces; null for the caller's own.</param>
    /// <param name="options">The options of each count.</param>
    /// <param name="filter">The filter.</param>
    /// <param name="tell">Receives how the tables were read.</param>
    /// <param name="stop">Stops the reading immediately.</param>
    /// <returns>A measurement for each namespace, in the same order. Null if each is to be counted by itself: the tables are small, or a
    /// walk is not possible or failed.</returns>
    /// <exception cref="OperationCanceledException">The reading was stopped.</exception>
    internal static IReadOnlyList<GroupMeasurement>? TryReadTogether(
        TableEngine engine, IReadOnlyList<NetworkNamespace?> namespaces, GroupOptions options, ConntrackFilter filter, Action<string> tell, CancellationToken stop)
    {
        GroupMeasurement[] measurements = [.. namespaces.Select(_ => new GroupMeasurement(options))];
        for (int i = 0; i < measurements.Length; i++)
            measurements[i].Begin(new ConntrackTable(namespaces[i]), filter);
        WalkTarget[] targets = [.. namespaces.Select((networkNamespace, i) => new WalkTarget(networkNamespace, new CountingSink(measurements[i]._groups)))];
        using IEntryScan? walk = ConntrackTable.Attempt(() => TableEngines.Together(engine, targets, filter, tell));
        if (walk is null)
            return null;
        try
        {
            walk.ReadToEnd(stop);
            return measurements;
        }
        catch (Exception exception) when (exception is IncompleteListingException || (exception is WalkUnavailableException && engine == TableEngine.Auto))
        {
            return null;
        }
    }

    /// <summary>Counts the entries of a table twice, and computes the changes between. This needs memory per entry, about 44 bytes, for all
    /// entries that might match the filter later, regardless of state, mark, age and so on.</summary>
    /// <param name="table">The table.</param>
    /// <param name="interval">The time from the start of the first pass to the start of the second. It is longer if the first pass takes
    /// longer.</param>
    /// <param name="filter">The filter, or null for all entries.</param>
    /// <param name="stop">Stops reading and waiting immediately.</param>
    /// <exception cref="OperationCanceledException">The reading was stopped.</exception>
    /// <exception cref="IncompleteListingException">Some entries may be missing from the counts. The counts stay available, but the rates
    /// of new and ended entries are unreliable.</exception>
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

        // Entries that the first pass may have missed must not count as new: their total traffic would be counted for the interval.
        IncompleteListingException? second = Pass(table, followed, new ComparingSink(_groups, history, counted, countsNew: first is null), stop);
        foreach (int group in history.UnseenTags())
        {
            if (group != NotingSink.Uncounted)
                _groups[group].Ended++;
        }

        if ((first ?? second) is { } incomplete)
            throw incomplete;
    }

    /// <summary>The requested groups, in the requested order.</summary>
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

    /// <returns>The exception to throw after the count if entries may be missing, or null.</returns>
    private IncompleteListingException? Pass(ConntrackTable table, ConntrackFilter filter, CountingSink sink, CancellationToken stop)
    {
        using IEntryScan scan = table.Scan(filter, sink);
        try
        {
            scan.ReadToEnd(stop);
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

/// <summary>Counts the entries of a pass. All are read into the same object.</summary>
internal class CountingSink(GroupTable groups) : IEntrySink
{
    private readonly ConntrackEntry _entry = new();

    protected GroupTable Groups { get; } = groups;

    public ConntrackEntry NextEntry()
    {
        _entry.Reset();
        return _entry;
    }

    public virtual EntryParts Parts => Groups.Index.Parts | EntryParts.Counters | EntryParts.StartTime;

    public bool TakesInterrupted => false;

    public virtual void Take(ConntrackEntry entry) => Groups.Add(entry);

    public virtual void Restart() => Groups.Clear();
}

/// <summary>Counts the entries that match a filter. Remembers each entry for the next pass, also those that may match only then.</summary>
internal sealed class NotingSink(GroupTable groups, EntryHistory history, ConntrackFilter? filter) : CountingSink(groups)
{
    /// <summary>The tag of an entry that did not match.</summary>
    public const int Uncounted = -1;

    public override EntryParts Parts => base.Parts | EntryParts.Id | TableEngines.PartsOf(filter);

    public override void Take(ConntrackEntry entry) =>
        history.Add(entry, tag: filter?.Matches(entry) != false ? Groups.Add(entry) : Uncounted);

    public override void Restart()
    {
        base.Restart();
        history.Clear();
    }
}

/// <summary>Counts the entries that match a filter, and sums the changes since the first pass.</summary>
internal sealed class ComparingSink : CountingSink
{
    private readonly EntryHistory _history;
    private readonly ConntrackFilter? _filter;
    private readonly bool _countsNew;

    /// <param name="groups">The groups of the first pass.</param>
    /// <param name="history">The entries of the first pass.</param>
    /// <param name="filter">The filter for counted entries, or null for all.</param>
    /// <param name="countsNew">True to count the total traffic of entries that the first pass did not have. This would be wrong if the
    /// first pass may have missed entries.</param>
    public ComparingSink(GroupTable groups, EntryHistory history, ConntrackFilter? filter, bool countsNew)
        : base(groups)
    {
        (_history, _filter, _countsNew) = (history, filter, countsNew);
        Restart();
    }

    public override EntryParts Parts => base.Parts | EntryParts.Id | TableEngines.PartsOf(_filter);

    public override void Take(ConntrackEntry entry)
    {
        // First of all: an entry that no longer matches has not ended.
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
