using System.Globalization;
using System.Text;

namespace ConntrackPS.Reporting;

/// <summary>A line of a chart.</summary>
/// <param name="Name">Its name, for the legend.</param>
/// <param name="Style">The CSS class that has its colour.</param>
/// <param name="Points">Times and values, in the order of time. A value that is not a number is a gap.</param>
internal sealed record ChartLine(string Name, string Style, IReadOnlyList<(DateTime Time, double Value)> Points);

/// <summary>Draws values over time as SVG.</summary>
/// <param name="width">The width in pixels. A page has one chart for wide screens and one for narrow ones, so that letters keep their size.</param>
/// <param name="height">The height in pixels.</param>
internal sealed class SvgChart(int width, int height)
{
    private const int Left = 56, Right = 14, Top = 12, Bottom = 26;

    /// <summary>Two points that are further apart than this number of usual distances are not connected.</summary>
    private const double LongestGap = 3;

    private static readonly TimeSpan[] Steps =
    [
        .. new double[] { 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000, 7776000, 31536000 }
            .Select(TimeSpan.FromSeconds),
    ];

    private DateTime _start;
    private DateTime _end;
    private double _most;

    /// <summary>Draws a chart.</summary>
    /// <param name="title">The title, for screen readers.</param>
    /// <param name="lines">The lines. At least one has a point.</param>
    /// <param name="limit">A value that is marked by a line, if the scale reaches it. Null for none.</param>
    /// <param name="hasArea">True to fill the area below the first line.</param>
    public string Draw(string title, IReadOnlyList<ChartLine> lines, double? limit = null, bool hasArea = false)
    {
        DateTime[] times = [.. lines.SelectMany(line => line.Points.Select(point => point.Time))];
        (_start, _end) = (times.Min(), times.Max());
        if (_end - _start < TimeSpan.FromSeconds(1))
            (_start, _end) = (_start.AddSeconds(-1), _end.AddSeconds(1));
        double highest = lines.SelectMany(line => line.Points).Where(point => double.IsFinite(point.Value)).Select(point => point.Value).DefaultIfEmpty().Max();
        bool showsLimit = limit > 0 && highest > limit * 0.35;
        (_most, double step) = Scale(showsLimit ? Math.Max(highest, limit!.Value * 1.04) : highest);

        StringBuilder svg = new();
        svg.Append(CultureInfo.InvariantCulture, $"<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{HtmlText.Escape(title)}\">\n");
        DrawScale(svg, step);
        DrawTimes(svg);

        // The first line is the most important one, so it is drawn last, above the others.
        for (int i = lines.Count - 1; i >= 0; i--)
            DrawLine(svg, lines[i], hasArea && i == 0);
        if (showsLimit)
            DrawLimit(svg, limit!.Value);
        return svg.Append("</svg>\n").ToString();
    }

    /// <summary>The end of the scale and the distance of its marks: 1, 2 or 5 times a power of ten.</summary>
    internal static (double Most, double Step) Scale(double highest)
    {
        if (!(highest > 0))
            return (1, 1);
        double rough = highest / 4, power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double step = power * ((rough / power) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 });
        return (Math.Ceiling(highest / step - 1e-9) * step, step);
    }

    /// <summary>The distance of the marks of time, so that their labels have room.</summary>
    internal static TimeSpan StepOf(TimeSpan span, int most) => Array.Find(Steps, step => span / step <= most) is { Ticks: > 0 } fitting ? fitting : span / most;

    private double X(DateTime time) => Left + (time - _start) / (_end - _start) * (width - Left - Right);

    private double Y(double value) => height - Bottom - value / _most * (height - Top - Bottom);

    private void DrawScale(StringBuilder svg, double step)
    {
        for (double value = 0; value <= _most * 1.0001; value += step)
        {
            string y = Number(Y(value));
            svg.Append(CultureInfo.InvariantCulture, $"<line class=\"grid\" x1=\"{Left}\" x2=\"{width - Right}\" y1=\"{y}\" y2=\"{y}\"/>");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left - 8}\" y=\"{y}\" dy=\".32em\" text-anchor=\"end\">{Label(value, step)}</text>\n");
        }
    }

    private void DrawTimes(StringBuilder svg)
    {
        TimeSpan step = StepOf(_end - _start, Math.Max(2, (width - Left - Right) / 105));

        // Whole hours and days, as the reader's clock has them.
        DateTime first = new((_start.Ticks + step.Ticks - 1) / step.Ticks * step.Ticks, _start.Kind);
        for (DateTime time = first; time <= _end; time += step)
        {
            string x = Number(X(time));
            string label = time.ToString(step.TotalDays >= 1 || time.TimeOfDay == TimeSpan.Zero ? "d MMM" : step.TotalSeconds < 60 ? "HH:mm:ss" : "HH:mm", CultureInfo.InvariantCulture);
            svg.Append(CultureInfo.InvariantCulture, $"<line class=\"tick\" x1=\"{x}\" x2=\"{x}\" y1=\"{height - Bottom}\" y2=\"{height - Bottom + 4}\"/>");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{x}\" y=\"{height - Bottom + 17}\" text-anchor=\"{(X(time) > width - 40 ? "end" : "middle")}\">{label}</text>\n");
        }
    }

    private void DrawLine(StringBuilder svg, ChartLine line, bool hasArea)
    {
        foreach (List<(double X, double Y)> part in Parts(line.Points))
        {
            string path = string.Join('L', part.Select(point => $"{Number(point.X)} {Number(point.Y)}"));
            if (part.Count == 1)
            {
                svg.Append(CultureInfo.InvariantCulture, $"<circle class=\"{line.Style}\" cx=\"{Number(part[0].X)}\" cy=\"{Number(part[0].Y)}\" r=\"2\"/>\n");
                continue;
            }

            if (hasArea)
                svg.Append(CultureInfo.InvariantCulture, $"<path class=\"area {line.Style}\" d=\"M{Number(part[0].X)} {height - Bottom}L{path}L{Number(part[^1].X)} {height - Bottom}Z\"/>\n");
            svg.Append(CultureInfo.InvariantCulture, $"<path class=\"line {line.Style}\" d=\"M{path}\"/>\n");
        }
    }

    private void DrawLimit(StringBuilder svg, double limit)
    {
        string y = Number(Y(limit));
        svg.Append(CultureInfo.InvariantCulture, $"<line class=\"limit\" x1=\"{Left}\" x2=\"{width - Right}\" y1=\"{y}\" y2=\"{y}\"/>");
        svg.Append(CultureInfo.InvariantCulture, $"<text class=\"limit\" x=\"{width - Right}\" y=\"{y}\" dy=\"1.2em\" text-anchor=\"end\">maximum {limit:N0}</text>\n");
    }

    /// <summary>The points on the screen, in parts without gaps. Of the points of one column of pixels, the highest counts, because a peak
    /// matters most.</summary>
    private IEnumerable<List<(double X, double Y)>> Parts(IReadOnlyList<(DateTime Time, double Value)> points)
    {
        TimeSpan longest = UsualDistance(points) * LongestGap;
        List<(double X, double Y)> part = [];
        DateTime? last = null;
        foreach ((DateTime time, double value) in points)
        {
            if (!double.IsFinite(value) || (last is { } previous && time - previous > longest))
            {
                if (part.Count > 0)
                    yield return part;
                part = [];
            }

            if (!double.IsFinite(value))
                continue;
            (double x, double y) = (Math.Round(X(time)), Y(value));
            if (part.Count > 0 && part[^1].X == x)
                part[^1] = (x, Math.Min(part[^1].Y, y));
            else
                part.Add((x, y));
            last = time;
        }

        if (part.Count > 0)
            yield return part;
    }

    /// <summary>The median of the distances.</summary>
    private static TimeSpan UsualDistance(IReadOnlyList<(DateTime Time, double Value)> points)
    {
        TimeSpan[] distances = [.. points.Zip(points.Skip(1), (before, after) => after.Time - before.Time).Order()];
        return distances.Length == 0 ? TimeSpan.MaxValue / LongestGap : distances[distances.Length / 2];
    }

    private static string Label(double value, double step) => value >= 1e6
        ? string.Create(CultureInfo.InvariantCulture, $"{value / 1e6:0.##}M")
        : value >= 10_000
            ? string.Create(CultureInfo.InvariantCulture, $"{value / 1000:0.##}k")
            : value.ToString(step < 0.1 ? "0.##" : step < 1 ? "0.#" : "#,0", CultureInfo.InvariantCulture);

    private static string Number(double value) => value.ToString("0.#", CultureInfo.InvariantCulture);
}
