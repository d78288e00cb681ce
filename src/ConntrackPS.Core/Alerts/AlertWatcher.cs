using System.Diagnostics;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Linux;

namespace ConntrackPS.Alerts;

/// <summary>The problems that make alerts, and the times.</summary>
public sealed record AlertOptions
{
    /// <summary>The fill in percent above which an alert is raised. Null for no alerts of the fill.</summary>
    public double? FillAbove { get; init; }

    /// <summary>The fill in percent below which the alert is cleared. Null for nine tenths of <see cref="FillAbove"/>.</summary>
    public double? FillBelow { get; init; }

    /// <summary>True for alerts if packets or entries are dropped.</summary>
    public bool Drop { get; init; }

    /// <summary>True for findings of the health check that make alerts. Null for none: the table is not listed then.</summary>
    public Func<HealthFinding, bool>? Finding { get; init; }

    /// <summary>The time from one reading to the next.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The time without drops after which an alert about drops is cleared.</summary>
    public TimeSpan QuietTime { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary>Watches network namespaces for problems, and returns an alert when one begins, and when it is over.</summary>
/// <remarks>All times are measured by a monotonic clock, so a change of the system's time has no effect. A namespace that can't be read is
/// an alert too; the others are not affected. Only one thread may use it, but any thread may cancel it.</remarks>
public sealed class AlertWatcher(AlertOptions options) : IDisposable
{
    private readonly List<NamespaceWatch> _watches = [];
    private readonly List<ConntrackAlert> _waiting = [];
    private readonly CancellationTokenSource _stop = new();
    private long? _lastReading;
    private volatile IReadOnlyList<ConntrackAlert> _active = [];

    /// <summary>The alerts that are raised now.</summary>
    public IReadOnlyList<ConntrackAlert> Active => _active;

    /// <summary>The number of watched namespaces.</summary>
    public int Count => _watches.Count;

    /// <summary>Adds a network namespace, and reads it for the first time. Problems that it already has are in the next result of <see
    /// cref="Take"/>.</summary>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <param name="stop">Stops the reading.</param>
    /// <exception cref="Netlink.NetlinkException">The kernel refused the request: EPERM without CAP_NET_ADMIN, which findings need.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    /// <exception cref="OperationCanceledException">The reading was stopped.</exception>
    public void Add(NetworkNamespace? networkNamespace, CancellationToken stop = default)
    {
        NamespaceWatch watch = new(options, networkNamespace);
        Keep(watch.Begin(stop), _waiting);
        _watches.Add(watch);
        _lastReading = Stopwatch.GetTimestamp();
    }

    /// <summary>Waits for the interval, and reads all namespaces.</summary>
    /// <returns>The alerts, in the order of the namespaces. Usually there are none.</returns>
    /// <exception cref="OperationCanceledException">The watcher was cancelled.</exception>
    public IReadOnlyList<ConntrackAlert> Take()
    {
        List<ConntrackAlert> alerts = [.. _waiting];
        _waiting.Clear();
        if (alerts.Count > 0)
            return alerts;

        // From the start of the last reading, so that the time of a reading does not add up.
        TimeSpan rest = _lastReading is { } last ? options.Interval - Stopwatch.GetElapsedTime(last) : TimeSpan.Zero;
        if (rest > TimeSpan.Zero)
            _stop.Token.WaitHandle.WaitOne(rest);
        _stop.Token.ThrowIfCancellationRequested();
        _lastReading = Stopwatch.GetTimestamp();
        foreach (NamespaceWatch watch in _watches)
            Keep(watch.Look(_stop.Token), alerts);
        return alerts;
    }

    /// <summary>Ends the current and all later calls of <see cref="Take"/>.</summary>
    public void Cancel()
    {
        try
        {
            _stop.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The thread that takes has ended already.
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _stop.Dispose();

    private void Keep(IEnumerable<ConntrackAlert> alerts, List<ConntrackAlert> result)
    {
        foreach (ConntrackAlert alert in alerts)
        {
            result.Add(alert);
            IEnumerable<ConntrackAlert> others = _active.Where(active => (active.Kind, active.Finding, active.Namespace) != (alert.Kind, alert.Finding, alert.Namespace));
            _active = alert.State == AlertState.Raised ? [.. others, alert] : [.. others];
        }
    }

    /// <summary>The rules of one network namespace.</summary>
    private sealed class NamespaceWatch
    {
        /// <summary>The health check needs a second to count drops.</summary>
        private static readonly TimeSpan LongestSample = TimeSpan.FromSeconds(1);

        private readonly NetworkNamespace? _networkNamespace;
        private readonly TimeSpan _sample;
        private readonly FillAlertRule? _fill;
        private readonly DropAlertRule? _drop;
        private readonly FindingAlertRule? _finding;
        private readonly ReadingAlertRule _reading = new();

        public NamespaceWatch(AlertOptions options, NetworkNamespace? networkNamespace)
        {
            _networkNamespace = networkNamespace;
            _sample = options.Interval / 2 < LongestSample ? options.Interval / 2 : LongestSample;
            _fill = options.FillAbove is { } above ? new FillAlertRule(above, options.FillBelow ?? above * 0.9) : null;
            _drop = options.Drop ? new DropAlertRule(options.QuietTime) : null;
            _finding = options.Finding is { } isWanted ? new FindingAlertRule(isWanted) : null;
        }

        /// <summary>The first reading, whose errors the caller gets.</summary>
        public IReadOnlyList<ConntrackAlert> Begin(CancellationToken stop) => [.. ReadStatistics(), .. ReadFindings(stop)];

        public IReadOnlyList<ConntrackAlert> Look(CancellationToken stop)
        {
            List<ConntrackAlert> alerts = [];
            Exception? failure = Try(() => alerts.AddRange(ReadStatistics())) ?? Try(() => alerts.AddRange(ReadFindings(stop)));
            return [.. alerts, .. _reading.Check(failure, _networkNamespace?.Name)];
        }

        private IReadOnlyList<ConntrackAlert> ReadStatistics()
        {
            StatReading reading = StatReading.Read(_networkNamespace);
            return [.. _fill?.Check(reading) ?? [], .. _drop?.Check(reading) ?? []];
        }

        private IReadOnlyList<ConntrackAlert> ReadFindings(CancellationToken stop)
        {
            if (_finding is null)
                return [];
            HealthCheck check = new(_networkNamespace, _sample);
            IReadOnlyList<HealthFinding> findings = check.Run(stop);
            bool isComplete = check.HasWholeTable && check.Unreadable!.Count == 0;
            return [.. _finding.Check(findings, isComplete, DateTime.Now, _networkNamespace?.Name)];
        }

        private static Exception? Try(Action read)
        {
            try
            {
                read();
                return null;
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                return exception;
            }
        }
    }
}
