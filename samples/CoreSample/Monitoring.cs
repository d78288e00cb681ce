using ConntrackPS.Alerts;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Linux;
using ConntrackPS.Metrics;

namespace ConntrackPS.Samples;

/// <summary>Metrics for monitoring systems, and alerts.</summary>
internal static class Monitoring
{
    /// <summary>Writes the metrics in a text format of Prometheus or InfluxDB. Without privileges, only some parts fail.</summary>
    public static void Metrics(NetworkNamespace? where, string? name)
    {
        MetricFormat format = name switch
        {
            null => MetricFormat.Prometheus,
            "openmetrics" => MetricFormat.OpenMetrics,
            "influx" => MetricFormat.Influx,
            _ => throw new FormatException($"There is no format '{name}'."),
        };
        MetricReader reader = new(new MetricOptions { TopSource = 3, Sample = TimeSpan.Zero });
        foreach (MetricFailure failure in reader.Read(where))
        {
            int count = MetricCatalog.All.Count(metric => metric.Part == failure.Part && metric.Type == MetricType.Gauge);
            Console.Error.WriteLine($"{count} metrics of {failure.Part} are missing: {failure.Cause.Message}");
        }

        foreach (string line in reader.Write(format))
            Console.WriteLine(line);
    }

    /// <summary>Shows alerts for a time: if the table is fuller than a limit, if packets are dropped, or if there is a warning.</summary>
    public static void Alerts(NetworkNamespace? where, TimeSpan time, double percent)
    {
        using AlertWatcher watcher = new(new AlertOptions
        {
            FillAbove = percent,
            Drop = true,
            Finding = finding => finding.Severity >= FindingSeverity.Warning,
            Interval = TimeSpan.FromSeconds(1),
        });
        watcher.Add(where);
        using CancellationTokenSource end = new(time);
        using CancellationTokenRegistration registration = end.Token.Register(watcher.Cancel);
        try
        {
            while (true)
            {
                foreach (ConntrackAlert alert in watcher.Take())
                    Console.WriteLine(alert);
            }
        }
        catch (OperationCanceledException)
        {
            Console.WriteLine($"{watcher.Active.Count(alert => alert.Kind != AlertKind.Reading)} of the alerts are still {AlertState.Raised}.");
        }
    }
}
