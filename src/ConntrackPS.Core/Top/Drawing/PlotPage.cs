using System.Globalization;
using ConntrackPS.Top.Control;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Drawing;

/// <summary>The page of plots of the session: entries, new entries per second, losses per second, and the top sources.</summary>
internal static class PlotPage
{
    /// <summary>From this width on, two plots stand side by side.</summary>
    private const int WideWidth = 100;

    /// <summary>The lowest plot: its title and two lines.</summary>
    private const int LeastHeight = 3;

    private const int LabelWidth = 7, Gap = 3;

    public static void Draw(LineBuilder lines, TopView view, TopHistory history, int rows)
    {
        (lines.Frame.RowCount, lines.Frame.PageSize) = (0, 1);
        (lines.Frame.Selected, lines.Frame.Offset) = (view.Selected, view.Offset);
        if (history.Count == 0)
        {
            lines.Add(new TopSpan("Nothing was read yet.", TopStyle.Faint));
            return;
        }

        Func<int, int, List<TopSpan[]>>[] plots =
        [
            (width, height) => Plot(lines, view, history, history.Entries, "Entries", width, height, TopStyle.Open, FillOf(history)),
            (width, height) => Plot(lines, view, history, history.NewPerSecond, "New entries per second", width, height, TopStyle.Tcp),
            (width, height) => Plot(lines, view, history, history.DropPerSecond, "Drops per second", width, height, TopStyle.Warning),
            (width, height) => Sources(lines, view, history, width, height),
        ];
        int columns = lines.Width >= WideWidth ? 2 : 1;
        int bands = Math.Clamp(rows / LeastHeight, 1, plots.Length / columns);
        for (int band = 0; band < bands; band++)
        {
            // The last lines go to the bands above.
            int height = rows / bands + (band < rows % bands ? 1 : 0);
            if (columns == 1)
            {
                plots[band](lines.Width, height).ForEach(line => lines.Add(line));
                continue;
            }

            int width = (lines.Width - Gap) / 2;
            List<TopSpan[]> left = plots[band * 2](width, height), right = plots[band * 2 + 1](lines.Width - Gap - width, height);
            foreach ((TopSpan[] first, TopSpan[] second) in left.Zip(right))
                lines.Add([.. first, new TopSpan(new string(' ', Gap)), .. second]);
        }
    }

    private static string FillOf(TopHistory history)
    {
        TopPoint last = history[history.Count - 1];
        return last.Maximum == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"  {100.0 * last.Entries / last.Maximum:0.0} % of {Amount.Count(last.Maximum)}");
    }

    /// <summary>A plot of exactly this size: its title with the present and the highest value, the columns, and the times below.</summary>
    private static List<TopSpan[]> Plot(
        LineBuilder lines, TopView view, TopHistory history, IReadOnlyList<double> values, string title, int width, int height, TopStyle style, string more = "")
    {
        double[] known = [.. values.Where(double.IsFinite)];
        string now = double.IsFinite(values[^1]) ? $"  now {Value(values[^1])}" : "";
        string most = known.Length == 0 ? "" : $"  most {Value(known.Max())}";
        List<TopSpan[]> result = [[new TopSpan(title, TopStyle.Title), new TopSpan(lines.Fit(now + most + more, Math.Max(0, width - title.Length)))]];
        bool hasTimes = height > LeastHeight, hasGap = height > LeastHeight + 2;
        int bars = Math.Max(1, height - 1 - (hasTimes ? 1 : 0) - (hasGap ? 1 : 0));
        string[] drawn = Sparkline.Draw(values, width - LabelWidth - 1, bars, view.HasUnicode);
        for (int i = 0; i < bars; i++)
        {
            string label = i == 0 ? known.Length == 0 ? "" : Value(known.Max()) : i == bars - 1 ? "0" : "";
            result.Add([new TopSpan(lines.Fit(label, LabelWidth, isRight: true) + " ", TopStyle.Faint), new TopSpan(drawn[i], style)]);
        }

        if (hasTimes)
            result.Add([new TopSpan(Times(lines, history, width), TopStyle.Faint)]);
        if (hasGap)
            result.Add([new TopSpan(new string(' ', width))]);
        return [.. result.Take(height)];
    }

    /// <summary>The time of the oldest value below its column, and the time of the latest on the right side.</summary>
    private static string Times(LineBuilder lines, TopHistory history, int width)
    {
        int columns = width - LabelWidth - 1, first = LabelWidth + 1 + Math.Max(0, columns - history.Count);
        string start = history[0].Time.ToString("HH:mm:ss", CultureInfo.InvariantCulture), end = history[history.Count - 1].Time.ToString("HH:mm:ss", CultureInfo.InvariantCulture);
        bool hasBoth = first + start.Length + 1 + end.Length <= width;
        return hasBoth ? new string(' ', first) + start + lines.Fit(end, width - first - start.Length, isRight: true) : lines.Fit(end, width, isRight: true);
    }

    /// <summary>The sources of the latest snapshot, each with its entries over time. All have the scale of the largest, so that they can be
    /// compared.</summary>
    private static List<TopSpan[]> Sources(LineBuilder lines, TopView view, TopHistory history, int width, int height)
    {
        const string Title = "Top sources";
        const int CountWidth = 9;
        List<TopSpan[]> result = [[new TopSpan(lines.Fit(Title, width), TopStyle.Title)]];
        IReadOnlyList<KeyValuePair<string, long>> sources = history[history.Count - 1].TopSources;
        int name = Math.Clamp(sources.Select(source => source.Key.Length).DefaultIfEmpty().Max(), 9, Math.Max(9, width / 2 - CountWidth));
        int room = Math.Max(1, width - name - CountWidth - 2);
        double most = sources.Select(source => Sparkline.MostOf(history.EntriesOf(source.Key))).DefaultIfEmpty().Max();
        foreach ((string source, long count) in sources.Take(height - 1))
        {
            result.Add(
            [
                new TopSpan(lines.Fit(source, name) + lines.Fit(Amount.Count(count), CountWidth, isRight: true) + "  "),
                new TopSpan(Sparkline.Draw(history.EntriesOf(source), room, 1, view.HasUnicode, most)[0], TopStyle.Udp),
            ]);
        }

        while (result.Count < height)
            result.Add([new TopSpan(new string(' ', width))]);
        return result;
    }

    private static string Value(double value) => value is > 0 and < 10 && !double.IsInteger(value) ? value.ToString("0.0", CultureInfo.InvariantCulture) : Amount.Short(value);
}
