using System.Diagnostics;
using System.Globalization;
using ConntrackPS.Metrics;

namespace ConntrackPS.Tests.Metrics;

/// <summary>The three formats, read by strict readers of their specifications, and by promtool if it is installed.</summary>
public sealed class MetricTextTests
{
    private static readonly string[] BaseUnits = ["seconds", "bytes", "ratio"];

    private static readonly DateTimeOffset Time = new(2026, 11, 29, 12, 0, 0, 250, TimeSpan.Zero);

    public static TheoryData<string> HostileNames =>
    [
        "blue", "with space", "a,b=c", "quote\"s", @"back\slash", @"ends\", "line\nfeed", "tab\there", "ünïcode", "{}", "\"} 1\nfake 2", "#", @"\n", @"a\,b", " ",
    ];

    [Theory]
    [MemberData(nameof(HostileNames))]
    public void A_label_is_read_as_it_was(string name)
    {
        MetricSample[] samples = [Sample(MetricCatalog.SourceEntries, 7, ("namespace", name), ("source", "192.0.2.1"))];
        foreach (MetricFormat format in new[] { MetricFormat.Prometheus, MetricFormat.OpenMetrics })
        {
            ExposedSample read = Assert.Single(Assert.Single(Read(samples, format)).Samples);
            Assert.Equal([("namespace", name), ("source", "192.0.2.1")], read.Labels.Select(label => (label.Key, label.Value)));
            Assert.Equal(7, read.Value);
        }

        if (name.EndsWith('\\') || name.Any(char.IsControl))
        {
            Assert.Throws<FormatException>(() => MetricText.Write(samples, MetricFormat.Influx, Time));
            return;
        }

        ProtocolLine line = LineProtocolReader.Read(Assert.Single(MetricText.Write(samples, MetricFormat.Influx, Time)));
        Assert.Equal([("namespace", name), ("source", "192.0.2.1")], line.Tags.Select(tag => (tag.Key, tag.Value)));
        Assert.Equal(7L, line.Fields["entries"]);
    }

    [Theory]
    [InlineData(MetricFormat.Prometheus)]
    [InlineData(MetricFormat.OpenMetrics)]
    public void Every_metric_has_its_metadata_and_its_family_is_together(MetricFormat format)
    {
        // Two namespaces, one after the other: a family must have the samples of both.
        IReadOnlyList<ExposedFamily> families = Read([.. OneOfEach("blue"), .. OneOfEach("green")], format);
        Assert.Equal(
            MetricCatalog.All.Select(metric => (format == MetricFormat.OpenMetrics ? metric.Family : metric.Name, metric.Help, metric.Type.ToString().ToLowerInvariant())),
            families.Select(family => (family.Name, family.Help!, family.Type!)));
        Assert.Equal(MetricCatalog.All.Select(metric => format == MetricFormat.OpenMetrics ? metric.Unit : null), families.Select(family => family.Unit));
        Assert.All(families, family => Assert.Equal(["blue", "green"], family.Samples.Select(sample => sample.Labels["namespace"])));
    }

    [Fact]
    public void The_line_protocol_has_one_type_for_each_field_and_the_time_in_nanoseconds()
    {
        string[] lines = [.. MetricText.Write([.. OneOfEach("blue"), Sample(MetricCatalog.OfTable[2].Metric, 0, ("namespace", "full"))], MetricFormat.Influx, Time)];
        ProtocolLine[] read = [.. lines.Select(LineProtocolReader.Read)];
        Assert.All(read, line => Assert.Equal(1795953600250000000, line.Nanoseconds));

        // A fraction that happens to be a whole number must not become an integer: InfluxDB would refuse the line.
        Assert.IsType<double>(read.Single(line => line.Tags["namespace"] == "full").Fields["fill_ratio"]);
        Assert.IsType<long>(read.First(line => line.Fields.ContainsKey("drop_total")).Fields["drop_total"]);
        Assert.Equal(
            MetricCatalog.All.Select(metric => metric.Name).Order(StringComparer.Ordinal),
            read.SelectMany(line => line.Fields.Keys.Select(field => $"{line.Measurement}_{field}")).Distinct().Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(262144, "262144")]
    [InlineData(274877906880, "274877906880")]
    [InlineData(0.8011, "0.8011")]
    [InlineData(1e-7, "1E-07")]
    public void Numbers_are_written_without_a_culture(double value, string text)
    {
        using CommaCulture comma = new();
        Assert.Equal($"conntrack_fill_ratio {text}", MetricText.Write([Sample(MetricCatalog.OfTable[2].Metric, value)], MetricFormat.Prometheus, Time)[^1]);
    }

    [Fact]
    public void Names_follow_the_rules_of_Prometheus() => Assert.All(MetricCatalog.All, metric =>
    {
        Assert.Matches("^conntrack_[a-z_]+$", metric.Name);
        Assert.Equal(metric.Type == MetricType.Counter, metric.Name.EndsWith("_total", StringComparison.Ordinal));
        Assert.Equal(metric.Unit, BaseUnits.FirstOrDefault(unit => metric.Name.EndsWith("_" + unit, StringComparison.Ordinal)));
        Assert.DoesNotMatch("_(count|sum|bucket|info|created)$|gauge|counter|milli|percent", metric.Name);
        Assert.Matches(@"^[A-Z0-9].*[^.]\.$", metric.Help);
        Assert.StartsWith(metric.Measurement + "_", metric.Name, StringComparison.Ordinal);
        Assert.NotEmpty(metric.Source);
    });

    [PromtoolFact]
    public void Promtool_has_nothing_to_say()
    {
        string text = Text([.. OneOfEach("blue"), .. OneOfEach("quote\"s \\ and\nline feeds")], MetricFormat.Prometheus);
        using Process promtool = Process.Start(new ProcessStartInfo(PromtoolFactAttribute.Path!, ["check", "metrics", "--extended"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        promtool.StandardInput.Write(text);
        promtool.StandardInput.Close();
        string said = promtool.StandardError.ReadToEnd();
        string counted = promtool.StandardOutput.ReadToEnd();
        promtool.WaitForExit();
        Assert.Equal("", said);
        Assert.Equal(0, promtool.ExitCode);
        Assert.All(MetricCatalog.All, metric => Assert.Contains(metric.Name, counted, StringComparison.Ordinal));
    }

    private static IEnumerable<MetricSample> OneOfEach(string name) => MetricCatalog.All.Select((metric, index) => new MetricSample(
        metric, [("namespace", name), .. metric.Labels.Select(label => (label, label + "-value"))], metric.IsFraction ? 0.5 : index));

    private static MetricSample Sample(MetricDefinition metric, double value, params (string Name, string Value)[] labels) => new(metric, labels, value);

    private static IReadOnlyList<ExposedFamily> Read(IReadOnlyList<MetricSample> samples, MetricFormat format) =>
        ExpositionReader.Read(Text(samples, format), format == MetricFormat.OpenMetrics);

    private static string Text(IReadOnlyList<MetricSample> samples, MetricFormat format) => string.Join('\n', MetricText.Write(samples, format, Time)) + "\n";

    /// <summary>A culture with a decimal comma, which the machine need not know.</summary>
    private sealed class CommaCulture : IDisposable
    {
        private readonly CultureInfo _before = CultureInfo.CurrentCulture;

        public CommaCulture()
        {
            CultureInfo culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            (culture.NumberFormat.NumberDecimalSeparator, culture.NumberFormat.NegativeSign) = (",", "~");
            CultureInfo.CurrentCulture = culture;
        }

        public void Dispose() => CultureInfo.CurrentCulture = _before;
    }
}

/// <summary>A test that needs promtool, of Debian's package prometheus. It is too large to install for the tests.</summary>
public sealed class PromtoolFactAttribute : FactAttribute
{
    public PromtoolFactAttribute()
    {
        if (Path is null)
            Skip = "promtool is not installed (Debian package prometheus).";
    }

    public static string? Path { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(':', StringSplitOptions.RemoveEmptyEntries)
        .Select(folder => System.IO.Path.Combine(folder, "promtool"))
        .FirstOrDefault(File.Exists);
}
