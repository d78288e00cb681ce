namespace ConntrackPS.Diagnosis;

/// <summary>The kernel's counters, and their increase over an interval, per second. A rate is null if there is no interval, or if this
/// kernel does not have the counter.</summary>
/// <remarks>The counters are those of <see cref="ConntrackCounters"/>.</remarks>
public abstract class ConntrackCounterRates : ConntrackCounters
{
    private readonly CounterValues? _counted;
    private readonly double _seconds;

    /// <param name="totals">The counters at the end of the interval.</param>
    /// <param name="counted">Their increase. Null if it is unknown.</param>
    /// <param name="seconds">The length of the interval.</param>
    private protected ConntrackCounterRates(CounterValues totals, CounterValues? counted, double seconds)
        : base(totals) => (_counted, _seconds) = (counted, seconds);

    /// <summary>Tuples that NAT found already in use, per second.</summary>
    public double? FoundPerSecond => PerSecond(Counter.Found);

    /// <summary>Invalid packets per second.</summary>
    public double? InvalidPerSecond => PerSecond(Counter.Invalid);

    /// <summary>Entries inserted by netlink, per second.</summary>
    public double? InsertPerSecond => PerSecond(Counter.Insert);

    /// <summary>Entries not inserted, per second.</summary>
    public double? InsertFailedPerSecond => PerSecond(Counter.InsertFailed);

    /// <summary>Packets dropped per second.</summary>
    public double? DropPerSecond => PerSecond(Counter.Drop);

    /// <summary>Entries deleted to make room, per second.</summary>
    public double? EarlyDropPerSecond => PerSecond(Counter.EarlyDrop);

    /// <summary>Packets that a protocol's check rejected, per second.</summary>
    public double? ErrorPerSecond => PerSecond(Counter.Error);

    /// <summary>Lookups restarted per second.</summary>
    public double? SearchRestartPerSecond => PerSecond(Counter.SearchRestart);

    /// <summary>Clashes resolved per second.</summary>
    public double? ClashResolvePerSecond => PerSecond(Counter.ClashResolve);

    /// <summary>Entries refused because of a long hash chain, per second.</summary>
    public double? ChainTooLongPerSecond => PerSecond(Counter.ChainTooLong);

    /// <summary>Expected connections per second.</summary>
    public double? ExpectationNewPerSecond => PerSecond(Counter.ExpectationNew);

    /// <summary>Expectations created per second.</summary>
    public double? ExpectationCreatePerSecond => PerSecond(Counter.ExpectationCreate);

    /// <summary>Expectations deleted per second.</summary>
    public double? ExpectationDeletePerSecond => PerSecond(Counter.ExpectationDelete);

    private double? PerSecond(Counter counter) =>
        _counted?[counter] is { } counted && _seconds > 0 ? Math.Round(counted / _seconds, 2) : null;
}
