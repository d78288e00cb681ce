using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Diagnosis.History;
using ConntrackPS.Top.Drawing;

namespace ConntrackPS.Reporting;

/// <summary>Writes a report as one page of HTML that needs no other file and no network.</summary>
/// <remarks>A policy in the page (Content-Security-Policy) allows nothing but its own style and its own script, by the script's hash. So even
/// text that was taken for markup could neither run nor load anything.</remarks>
internal sealed class HtmlReport
{
    private const int Warned = 70, Critical = 90;

    /// <summary>The largest number of namespaces whose histories are drawn.</summary>
    private const int MostHistories = 8;

    private readonly ReportContent _content;
    private readonly StringBuilder _page = new();

    private HtmlReport(ReportContent content) => _content = content;

    /// <summary>The page.</summary>
    public static string Write(ReportContent content) => new HtmlReport(content).Write();

    private string Write()
    {
        string hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(PageAssets.Script)));
        Line("<!doctype html>");
        Line("<html lang=\"en\">");
        Line("<head>");
        Line("<meta charset=\"utf-8\">");
        Line($"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'\">");
        Line("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
        Line("<meta name=\"color-scheme\" content=\"light dark\">");
        Line($"<title>{Text(_content.Title)}</title>");
        Line($"<style>{PageAssets.Style}</style>");
        Line("</head>");
        Line("<body>");
        Line("<main>");
        Line($"<h1>{Text(_content.Title)}</h1>");
        Line($"<p class=\"soft\">{Text(_content.Origin)} &middot; {_content.Made.ToString("d MMMM yyyy, HH:mm:ss", CultureInfo.InvariantCulture)}</p>");
        WriteTiles();
        WriteHistory();
        WriteFindings();
        WriteTable();
        WriteComparison();
        WriteDifferences();
        Line("<footer>Made by ConntrackPS. A press on a heading sorts its table.</footer>");
        Line("</main>");
        Line($"<script>{PageAssets.Script}</script>");
        Line("</body>");
        Line("</html>");
        return _page.ToString();
    }

    private void WriteTiles()
    {
        Line("<div class=\"tiles\">");
        if (_content.Present is { } present)
            WriteFill(present);
        else if (_content.Table is { } table)
            Tile("Entries", Amount.Count(table.Count));
        if (Peak() is { } peak)
            Tile(string.Create(CultureInfo.InvariantCulture, $"Highest, {peak.Time:d MMM HH:mm}"), Amount.Count(peak.Count), null, Level(peak.FillPercent));
        if (_content.Present?.Drop is { } drops)
            Tile("Packets dropped since boot", Amount.Count((long)drops), null, drops > 0 ? "warn" : "good");
        if (_content.Table is { } counted)
        {
            Tile("Sources", Amount.Count(counted.Counts(TallyKind.Source).Count));
            long unreplied = counted.Largest(TallyKind.Protocol).Sum(group => group.Unreplied);
            Tile("Without a reply", counted.Count == 0 ? "0" : string.Create(CultureInfo.InvariantCulture, $"{100.0 * unreplied / counted.Count:0.#} %"));
        }

        if (_content.Findings is { } findings)
        {
            ReportFinding[] problems = [.. findings.Where(finding => finding.Severity >= FindingSeverity.Warning)];
            Tile("Problems found", Amount.Count(problems.Length), null, problems.Length == 0 ? "good" : problems.Any(finding => finding.Severity == FindingSeverity.Critical) ? "bad" : "warn");
        }

        Line("</div>");
    }

    private void WriteFill(ConntrackHistoryRecord present)
    {
        if (present is { Maximum: > 0 and var maximum, FillPercent: { } fill })
        {
            Line($"<div class=\"tile {Level(fill)}\"><b>{Amount.Count(present.Count)}</b><div class=\"meter\"><i style=\"width:{Percent(fill)}\"></i></div>");
            Line(string.Create(CultureInfo.InvariantCulture, $"<span>{fill:0.#} % of {Amount.Count(maximum)} entries</span></div>"));
        }
        else
        {
            Tile("Entries", Amount.Count(present.Count));
        }
    }

    private void WriteHistory()
    {
        if (_content.History.Count == 0)
        {
            if (_content.HistoryAdvice is { } advice)
                Line($"<section><h2>Over time</h2><p class=\"soft\">No history was given. To record one:</p><pre>{Text(advice)}</pre></section>");
            return;
        }

        IGrouping<string, ConntrackHistoryRecord>[] histories = [.. _content.History.GroupBy(record => record.Namespace ?? "")];
        Line("<section><h2>Over time</h2>");
        foreach (IGrouping<string, ConntrackHistoryRecord> history in histories.Take(MostHistories))
        {
            if (histories.Length > 1)
                Line($"<h3>{(history.Key.Length == 0 ? "The machine" : $"Network namespace {Text(history.Key)}")}</h3>");
            WriteCharts([.. history]);
        }

        if (histories.Length > MostHistories)
            Line($"<p class=\"soft\">{Amount.Count(histories.Length - MostHistories)} more network namespaces are in the history.</p>");
        if (_content.History.Any(record => record.TopSources is { Count: > 0 }))
        {
            Line("<h3>Sources with the most entries</h3>");
            Table(ReportTables.RecordedSources(_content.History, _content.Top));
        }

        Line("</section>");
    }

    private void WriteCharts(ConntrackHistoryRecord[] records)
    {
        DateTime[] times = HistoryClock.TimesOf(records);
        (DateTime, double)[] Values(Func<ConntrackHistoryRecord, double?> value) => [.. records.Select((record, i) => (times[i], value(record) ?? double.NaN))];
        long maximum = records[^1].Maximum ?? 0;
        Line(string.Create(
            CultureInfo.InvariantCulture,
            $"<p class=\"soft\">{Amount.Count(records.Length)} {(records.Length == 1 ? "record" : "records")} from {times[0]:d MMM yyyy HH:mm} to {times[^1]:d MMM yyyy HH:mm}. Of close records the highest is drawn.</p>"));
        Line("<h3>Entries in the table</h3>");
        Chart("Entries in the table over time", 240, [new("Entries", "one", Values(record => record.Count))], maximum, hasArea: true);

        (string Name, string Style, Func<ConntrackHistoryRecord, double?> Rate)[] rates =
        [
            ("Packets dropped", "one", record => record.DropPerSecond),
            ("Entries dropped early", "two", record => record.EarlyDropPerSecond),
            ("Entries not inserted", "three", record => record.InsertFailedPerSecond),
        ];
        rates = [.. rates.Where(line => records.Any(record => line.Rate(record) > 0))];
        if (rates.Length == 0)
        {
            Line("<p class=\"soft\">No packet was dropped, and no entry was dropped early or refused.</p>");
            return;
        }

        Line($"<div class=\"legend\">{string.Concat(rates.Select(line => $"<span><i class=\"{line.Style}\"></i>{line.Name} per second</span>"))}</div>");
        Chart("Losses per second over time", 170, [.. rates.Select(line => new ChartLine(line.Name, line.Style, Values(line.Rate)))]);
    }

    private void WriteFindings()
    {
        if (_content.Findings is not { } findings)
            return;
        Line("<section><h2>Health</h2>");
        if (findings.Count == 0)
            Line("<p><span class=\"badge good\">Ok</span>Nothing is wrong.</p>");
        foreach (ReportFinding finding in findings)
        {
            string style = finding.Severity switch { FindingSeverity.Critical => "bad", FindingSeverity.Warning => "warn", FindingSeverity.Ok => "good", _ => "info" };
            Line($"<div class=\"finding\"><span class=\"badge {style}\">{finding.Severity}</span><strong>{Text(finding.Name)}</strong>");
            Line($"<p>{Text(finding.Evidence)}</p><p class=\"soft\">{Text(finding.Explanation)}</p>");
            if (finding.Remedy is { } remedy)
                Line($"<pre>{Text(remedy)}</pre>");
            Line("</div>");
        }

        Line("</section>");
    }

    private void WriteTable()
    {
        if (_content.Table is not { } table)
            return;
        Line("<section><h2>Top talkers</h2><p class=\"soft\">The sources with the most entries.</p>");
        Table(ReportTables.Groups(table, TallyKind.Source, "Source"));
        Line("</section>");
        Line("<section><div class=\"columns\"><div><h2>Protocols</h2>");
        WriteBars(table.Largest(TallyKind.Protocol), table.Count, _ => "none");
        Line("</div><div><h2>States</h2>");
        WriteBars(table.Largest(TallyKind.State), table.Count, StyleOf);
        Line("<div class=\"legend\"><span><i class=\"opening\"></i>opening</span><span><i class=\"open\"></i>open</span><span><i class=\"closing\"></i>closing</span><span><i class=\"none\"></i>without a state</span></div>");
        Line("</div></div></section>");
        Line("<section><h2>Destinations</h2>");
        Table(ReportTables.Groups(table, TallyKind.Destination, "Destination"));
        Line("<h3>Services</h3>");
        Table(ReportTables.Groups(table, TallyKind.Service, "Protocol and port"));
        Line("</section>");
    }

    private void WriteBars(IEnumerable<ConntrackGroup> groups, long all, Func<ConntrackGroup, string> style)
    {
        Line("<div class=\"rows\">");
        foreach (ConntrackGroup group in groups)
        {
            string name = string.Join(' ', group.GetValues().Select(pair => pair.Value is IPProtocol protocol ? ProtocolNames.ToKernel(protocol) : pair.Value?.ToString() ?? ""));
            double share = all == 0 ? 0 : 100.0 * group.Count / all;
            Line($"<span>{Text(name)}</span><i class=\"{style(group)}\" style=\"width:{Percent(share)}\"></i>");
            Line(string.Create(CultureInfo.InvariantCulture, $"<span>{Amount.Count(group.Count)} <span class=\"soft\">({share:0.0} %)</span></span>"));
        }

        Line("</div>");
    }

    private void WriteComparison()
    {
        if (_content is not { Reference: { } before, Table: { Comparison: { } compared } after })
            return;
        Line("<section><h2>Changes since the reference</h2>");
        Line($"<p>{Amount.Count(before.Count)} entries before, {Amount.Count(after.Count)} after: <strong>{Amount.Count(compared.Began)}</strong> began, "
            + $"<strong>{Amount.Count(compared.Ended)}</strong> ended, <strong>{Amount.Count(compared.Stayed)}</strong> stayed.</p>");
        Line("<h3>By source</h3>");
        Table(ReportTables.Changes(before, after, TallyKind.Source, "Source", _content.Top));
        Line("<h3>By state</h3>");
        Table(ReportTables.Changes(before, after, TallyKind.State, "Protocol and state", _content.Top));
        Line("</section>");
    }

    private void WriteDifferences()
    {
        if (_content.Settings is not { } settings)
            return;
        ReportTable differences = ReportTables.Differences(settings);
        Line("<section><h2>Settings that differ from the kernel's defaults</h2>");
        if (differences.Rows.Count == 0)
            Line("<p class=\"soft\">None.</p>");
        else
            Table(differences);
        Line("</section>");
    }

    private void Table(ReportTable table)
    {
        if (table.Rows.Count == 0)
        {
            Line("<p class=\"soft\">None.</p>");
            return;
        }

        Line("<div class=\"scroll\"><table><thead><tr>");
        foreach (ReportColumn column in table.Columns)
            Line($"<th{(column.IsNumber ? " class=\"n\"" : "")}><button>{Text(column.Title)}</button></th>");
        Line("</tr></thead><tbody>");
        foreach (IReadOnlyList<ReportCell> row in table.Rows)
            Line($"<tr>{string.Concat(row.Select((cell, i) => Cell(cell, table.Columns[i])))}</tr>");
        Line("</tbody></table></div>");
    }

    private static string Cell(ReportCell cell, ReportColumn column)
    {
        if (!column.IsNumber)
            return $"<td><bdi>{Text(cell.Text)}</bdi></td>";
        string number = cell.Number is { } known ? string.Create(CultureInfo.InvariantCulture, $" data-v=\"{known}\"") : "";
        string bar = cell.Share > 0 ? $" style=\"--w:{Percent(100 * cell.Share)}\"" : "";
        return $"<td class=\"n{(bar.Length > 0 ? " bar" : "")}\"{number}{bar}>{Text(cell.Text)}</td>";
    }

    private void Chart(string title, int height, IReadOnlyList<ChartLine> lines, double? limit = null, bool hasArea = false)
    {
        Line($"<div class=\"wide\">{new SvgChart(1040, height).Draw(title, lines, limit, hasArea)}</div>");
        Line($"<div class=\"narrow\">{new SvgChart(350, height).Draw(title, lines, limit, hasArea)}</div>");
    }

    private void Tile(string title, string value, string? detail = null, string style = "") =>
        Line($"<div class=\"tile {style}\"><b>{Text(value)}</b><span>{Text(title)}{(detail is null ? "" : $"<br>{Text(detail)}")}</span></div>");

    private ConntrackHistoryRecord? Peak() => _content.History.MaxBy(record => record.FillPercent ?? record.Count);

    private static string StyleOf(ConntrackGroup group) => group.GetValues()[^1].Value is ConntrackState state
        ? ConntrackStates.PhaseOf(state) switch { StatePhase.Open => "open", StatePhase.Opening => "opening", _ => "closing" }
        : "none";

    private static string Level(double? fill) => fill switch { >= Critical => "bad", >= Warned => "warn", _ => "" };

    private static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{Math.Clamp(share, 0, 100):0.##}%");

    private static string Text(string text) => HtmlText.Escape(text);

    private void Line(string line) => _page.Append(line).Append('\n');
}
