using System.Diagnostics;
using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Metrics;

/// <summary>The metrics to read.</summary>
public sealed record MetricOptions
{
    /// <summary>True for the counters of each processor, with the label <c>cpu</c>, instead of their sums.</summary>
    public bool PerCpu { get; init; }

    /// <summary>The number of source addresses to name, of those with the most entries. 0 for none.</summary>
    public int TopSource { get; init; }

    /// <summary>True to leave out what needs a privilege: the entries and the health check.</summary>
    public bool StatisticsOnly { get; init; }

    /// <summary>The minimum time in which the health check counts drops and similar events.</summary>
    public TimeSpan Sample { get; init; } = TimeSpan.FromSeconds(1);
}

/// <summary>A part of an export that failed, with its namespace.</summary>
/// <param name="Part">The part.</param>
/// <param name="Namespace">The network namespace, as the user named it; null for the caller's own.</param>
/// <param name="Cause">The error.</param>
public sealed record MetricFailure(MetricPart Part, string? Namespace, Exception Cause);

/// <summary>The value of a metric with its labels.</summary>
/// <param name="Metric">The metric.</param>
/// <param name="Labels">The labels in order, without empty ones.</param>
/// <param name="Value">The value. Counters are below 2^53, which is exact.</param>
internal sealed record MetricSample(MetricDefinition Metric, IReadOnlyList<(string Name, string Value)> Labels, double Value);

/// <summary>Reads the metrics of network namespaces, one after another, and writes them all in one format.</summary>
/// <remarks>Only one thread may use it.</remarks>
public sealed class MetricReader(MetricOptions options)
{
    private static readonly MetricPart[] Parts = [MetricPart.Statistics, MetricPart.Entries, MetricPart.Health];

    private readonly DateTimeOffset _time = DateTimeOffset.UtcNow;
    private readonly List<MetricSample> _samples = [];

    /// <summary>The samples of all namespaces, and the time of the export.</summary>
    internal IReadOnlyList<MetricSample> Samples => [.. _samples, new MetricSample(MetricCatalog.Timestamp, [], _time.ToUnixTimeMilliseconds() / 1000.0)];

    /// <summary>Reads a network namespace. The metrics of a part that fails are absent, and its success is 0.</summary>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <param name="stop">Stops the reading.</param>
    /// <returns>The parts that failed. If a part fails because of the privilege or the namespace, later parts that would fail for the same
    /// reason are not in the list.</returns>
    /// <exception cref="OperationCanceledException">The reading was stopped.</exception>
    public IReadOnlyList<MetricFailure> Read(NetworkNamespace? networkNamespace, CancellationToken stop = default)
    {
        NamespaceReading reading = new(options, networkNamespace);
        long started = Stopwatch.GetTimestamp();
        reading.Read(stop);
        _samples.AddRange(reading.Samples);
        foreach (MetricPart part in options.StatisticsOnly ? Parts[..1] : Parts)
            _samples.Add(reading.Sample(MetricCatalog.Success, reading.Succeeded.Contains(part) ? 1 : 0, ("part", part.ToString().ToLowerInvariant())));
        _samples.Add(reading.Sample(MetricCatalog.Duration, Math.Round(Stopwatch.GetElapsedTime(started).TotalSeconds, 6)));
        return reading.Failures;
    }

    /// <summary>All that was read, line by line.</summary>
    /// <exception cref="FormatException">The format can't hold a label, such as a namespace whose name ends in a backslash.</exception>
    public IReadOnlyList<string> Write(MetricFormat format) => MetricText.Write(Samples, format, _time);

    /// <summary>The reading of one network namespace.</summary>
    private sealed class NamespaceReading(MetricOptions options, NetworkNamespace? networkNamespace) : IEntryListener
    {
        private readonly GroupMeasurement _byProtocol = new(new GroupOptions());
        private readonly GroupMeasurement? _bySource = options.TopSource == 0
            ? null
            : new(new GroupOptions { GroupBy = [GroupProperties.Named("SourceAddress")], Top = options.TopSource });

        public List<MetricSample> Samples { get; } = [];

        public List<MetricFailure> Failures { get; } = [];

        public HashSet<MetricPart> Succeeded { get; } = [];

        public void Read(CancellationToken stop)
        {
            if (Try(MetricPart.Statistics, ReadStatistics) && !options.StatisticsOnly)
                ReadTable(stop);
        }

        public MetricSample Sample(MetricDefinition metric, double value, params (string Name, string Value)[] labels) =>
            new(metric, [.. new[] { ("namespace", networkNamespace?.Name ?? "") }.Concat(labels).Where(label => label.Item2.Length > 0)], value);

        private void ReadStatistics()
        {
            StatReading reading = StatReading.Read(networkNamespace);
            ConntrackStat stat = new(reading);
            foreach ((MetricDefinition metric, Func<ConntrackStat, double?> read) in MetricCatalog.OfTable)
                Add(metric, read(stat));
            CounterValues sum = CounterValues.Sum([.. reading.Processors]);
            foreach ((MetricDefinition metric, Counter counter) in MetricCatalog.OfCounters)
            {
                if (!options.PerCpu)
                    Add(metric, sum[counter]);
                foreach (CpuCounters processor in options.PerCpu ? reading.Processors : [])
                    Add(metric, processor[counter], ("cpu", FormattableString.Invariant($"{processor.Cpu}")));
            }
        }

        /// <summary>Lists the table once, for the health check and for the counts.</summary>
        private void ReadTable(CancellationToken stop)
        {
            HealthCheck check = new(networkNamespace, options.Sample);
            IReadOnlyList<HealthFinding> findings = [];
            bool isChecked = Try(
                () => check.HasWholeTable ? MetricPart.Health : MetricPart.Entries,
                () => findings = check.Run(this, stop));
            if (isChecked)
                AddFindings(findings, check.Unreadable!);
            if (check.HasWholeTable)
                AddCounts();
            else if (isChecked)
                Fail(MetricPart.Entries, new IncompleteListingException("count the entries", check.IncompleteListings));
        }

        void IEntryListener.Take(ConntrackEntry entry)
        {
            _byProtocol.Add(entry);
            _bySource?.Add(entry);
        }

        void IEntryListener.Restart()
        {
            _byProtocol.Clear();
            _bySource?.Clear();
        }

        private void AddCounts()
        {
            Succeeded.Add(MetricPart.Entries);
            foreach (ConntrackGroup group in _byProtocol.Groups())
            {
                IReadOnlyList<KeyValuePair<string, object?>> values = group.GetValues();
                IPProtocol protocol = (IPProtocol)values[0].Value!;
                string state = values[1].Value is ConntrackState known ? StateNames.Of(protocol, known) : StateNames.None;
                Add(MetricCatalog.ProtocolEntries, group.Count, ("protocol", ProtocolNames.ToKernel(protocol)), ("state", state));
            }

            foreach (ConntrackGroup group in _bySource?.Groups() ?? [])
                Add(MetricCatalog.SourceEntries, group.Count, ("source", group.Name));
        }

        private void AddFindings(IReadOnlyList<HealthFinding> findings, IReadOnlyList<UnreadableSettingException> unreadable)
        {
            if (unreadable.Count == 0)
                Succeeded.Add(MetricPart.Health);
            foreach (UnreadableSettingException cause in unreadable)
                Fail(MetricPart.Health, cause);
            HashSet<(string, FindingSeverity)> found = [.. findings.Select(finding => (finding.Name, finding.Severity))];
            IEnumerable<(string Name, FindingSeverity Severity)> known = FindingKinds.All.SelectMany(kind => kind.Severities.Select(severity => (kind.Name, severity)));
            foreach ((string name, FindingSeverity severity) in known.Union(found))
                Add(MetricCatalog.Finding, found.Contains((name, severity)) ? 1 : 0, ("finding", name), ("severity", severity.ToString().ToLowerInvariant()));
        }

        private void Add(MetricDefinition metric, double? value, params (string Name, string Value)[] labels)
        {
            if (value is { } number)
                Samples.Add(Sample(metric, number, labels));
        }

        private bool Try(MetricPart part, Action read)
        {
            bool succeeded = Try(() => part, read);
            if (succeeded)
                Succeeded.Add(part);
            return succeeded;
        }

        private bool Try(Func<MetricPart> part, Action read)
        {
            try
            {
                read();
                return true;
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                Fail(part(), exception);
                return false;
            }
        }

        private void Fail(MetricPart part, Exception cause) => Failures.Add(new MetricFailure(part, networkNamespace?.Name, cause));
    }
}
