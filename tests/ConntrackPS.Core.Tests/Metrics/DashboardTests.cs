using System.Text.Json;
using System.Text.RegularExpressions;
using ConntrackPS.Metrics;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Metrics;

/// <summary>The dashboard and the documentation name the metrics of the catalog, all of them, and no others.</summary>
public sealed partial class DashboardTests : IDisposable
{
    /// <summary>Metrics that no panel shows, with the reason.</summary>
    private static readonly Dictionary<string, string> LeftOut = [];

    /// <summary>Labels that Prometheus adds when it scrapes, and <c>namespace</c>.</summary>
    private static readonly string[] CommonLabels = ["instance", "namespace"];

    private static readonly string[] PanelTypes = ["timeseries", "table", "stat", "gauge"];

    private static readonly string[] Functions = ["sum", "max", "topk", "rate", "time", "label_values"];

    private readonly JsonDocument _dashboard = JsonDocument.Parse(File.ReadAllText(Path.Combine(Repository.Root, "samples/Monitoring/conntrack-dashboard.json")));

    private JsonElement[] Panels => [.. _dashboard.RootElement.GetProperty("panels").EnumerateArray()];

    private string[] Expressions => [.. Panels.SelectMany(panel => panel.GetProperty("targets").EnumerateArray()).Select(target => target.GetProperty("expr").GetString()!)];

    private string[] Queries => [.. Variables.Where(variable => Text(variable, "type") == "query").Select(variable => variable.GetProperty("query").GetProperty("query").GetString()!)];

    private JsonElement[] Variables => [.. _dashboard.RootElement.GetProperty("templating").GetProperty("list").EnumerateArray()];

    public void Dispose() => _dashboard.Dispose();

    [Fact]
    public void It_has_what_Grafana_needs()
    {
        JsonElement root = _dashboard.RootElement;
        Assert.InRange(root.GetProperty("schemaVersion").GetInt32(), 36, 41);
        Assert.Equal(["datasource", "instance", "namespace"], Variables.Select(variable => Text(variable, "name")));
        Assert.False(root.TryGetProperty("id", out _), "an id belongs to one server");
        Assert.Equal(Panels.Length, Panels.Select(panel => panel.GetProperty("id").GetInt32()).Distinct().Count());
        Assert.All(Panels, panel =>
        {
            Assert.NotEmpty(Text(panel, "title"));
            Assert.EndsWith(".", Text(panel, "description"), StringComparison.Ordinal);
            Assert.Contains(Text(panel, "type"), PanelTypes);
            Assert.NotEmpty(panel.GetProperty("targets").EnumerateArray());
        });
        MatchCollection sources = DataSource().Matches(root.GetRawText());
        Assert.True(sources.Count > Panels.Length);
        Assert.All(sources, match => Assert.Equal("${datasource}", match.Groups[1].Value));
    }

    [Fact]
    public void No_panels_overlap_and_none_is_wider_than_the_screen()
    {
        HashSet<(int, int)> cells = [];
        foreach (JsonElement place in Panels.Select(panel => panel.GetProperty("gridPos")))
        {
            int x = place.GetProperty("x").GetInt32(), y = place.GetProperty("y").GetInt32(), width = place.GetProperty("w").GetInt32();
            Assert.InRange(x + width, 1, 24);
            foreach (int row in Enumerable.Range(y, place.GetProperty("h").GetInt32()))
                Assert.All(Enumerable.Range(x, width), column => Assert.True(cells.Add((column, row))));
        }
    }

    [Fact]
    public void Expressions_name_only_metrics_and_labels_that_exist()
    {
        Assert.NotEmpty(Expressions);
        Assert.All([.. Expressions, .. Queries], expression => Assert.Empty(Unknown(expression)));
        Assert.All(Expressions, expression => Assert.Contains("{instance=~\"$instance\"", expression, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("sum by (state) (conntrack_protocol_entries{protocol=\"tcp\"})", "")]
    [InlineData("conntrack_protocol_entry", "conntrack_protocol_entry")]
    [InlineData("conntrack_entries{state=\"x\"}", "state of conntrack_entries")]
    [InlineData("sum by (cpus) (rate(conntrack_drop_total[5m]))", "cpus of conntrack_drop_total")]
    [InlineData("avg(conntrack_entries)", "avg")]
    [InlineData("rate(conntrack_entries[5m])", "rate of the gauge conntrack_entries")]
    [InlineData("conntrack_drop_total", "conntrack_drop_total without rate")]
    [InlineData("label_values(conntrack_entries, zone)", "zone of conntrack_entries")]
    public void What_does_not_exist_is_found(string expression, string unknown) => Assert.Equal(unknown, string.Join(", ", Unknown(expression)));

    [Fact]
    public void Each_metric_has_a_panel_or_a_reason() => Assert.Equal(
        MetricCatalog.All.Select(metric => metric.Name).Order(StringComparer.Ordinal),
        MetricCatalog.All.Select(metric => metric.Name).Where(name => Expressions.Any(expression => Regex.IsMatch(expression, $@"\b{name}\b")))
            .Concat(LeftOut.Keys).Order(StringComparer.Ordinal));

    [Fact]
    public void The_documentation_has_the_table_of_the_catalog()
    {
        string page = File.ReadAllText(Path.Combine(Repository.Root, "docs/monitoring.md"));
        Assert.Equal(
            MetricCatalog.All.Select(metric =>
                $"| `{metric.Name}` | {metric.Type.ToString().ToLowerInvariant()} | {string.Join(", ", metric.Labels.Select(label => $"`{label}`"))} | {metric.Help} | {metric.Source} |"),
            Row().Matches(page).Select(match => match.Value));
    }

    /// <summary>The names in an expression that are wrong.</summary>
    private static IEnumerable<string> Unknown(string expression)
    {
        // Texts and durations have no names of ours. Matchers, by (...) and the last argument of label_values are labels.
        string bare = Quoted().Replace(expression, "\"\"");
        string[] labels =
        [
            .. Matcher().Matches(bare).Select(match => match.Groups[1].Value),
            .. By().Matches(bare).SelectMany(match => match.Groups[1].Value.Split(", ")),
            .. LabelValues().Matches(bare).Select(match => match.Groups[1].Value),
        ];
        string rest = LabelValues().Replace(By().Replace(Braces().Replace(Range().Replace(bare, ""), ""), " "), ")");
        MetricDefinition? metric = null;
        foreach (string name in Identifier().Matches(rest).Select(match => match.Value))
        {
            if (Functions.Contains(name))
                continue;
            metric = MetricCatalog.All.FirstOrDefault(known => known.Name == name);
            if (metric is null)
                yield return name;
            else if ((metric.Type == MetricType.Counter) != expression.Contains("rate(", StringComparison.Ordinal))
                yield return metric.Type == MetricType.Counter ? $"{name} without rate" : $"rate of the gauge {name}";
        }

        if (metric is null)
            yield break;
        foreach (string label in labels.Except([.. CommonLabels, .. metric.Labels]))
            yield return $"{label} of {metric.Name}";
    }

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;

    [GeneratedRegex(@"""uid""\s*:\s*""([^""]*)""(?=\s*\})")]
    private static partial Regex DataSource();

    [GeneratedRegex(@"""[^""]*""")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)")]
    private static partial Regex Matcher();

    [GeneratedRegex(@"\bby \(([^)]*)\)")]
    private static partial Regex By();

    [GeneratedRegex(@"\[[^\]]*\]")]
    private static partial Regex Range();

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex Braces();

    [GeneratedRegex(@", (\w+)\)$")]
    private static partial Regex LabelValues();

    [GeneratedRegex(@"[A-Za-z_]\w*")]
    private static partial Regex Identifier();

    [GeneratedRegex(@"^\| `conntrack_.*\|$", RegexOptions.Multiline)]
    private static partial Regex Row();
}
