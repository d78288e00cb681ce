namespace ConntrackPS.Top.Drawing;

/// <summary>Draws values with the block characters of Unicode (U+2581 to U+2588), or with characters of ASCII. Each column is a value, and the
/// scale begins at 0.</summary>
internal static class Sparkline
{
    private const string Blocks = " ▁▂▃▄▅▆▇█";
    private const string Plain = " _.-=+*%#";

    /// <summary>The steps of one line.</summary>
    private const int Steps = 8;

    /// <summary>Draws one line of the latest values, which end at its right side.</summary>
    /// <param name="values">The values. NaN is a gap.</param>
    /// <param name="width">The number of columns.</param>
    /// <param name="hasUnicode">False for ASCII.</param>
    public static string Draw(IReadOnlyList<double> values, int width, bool hasUnicode) =>
        Draw(values.Count > width ? [.. values.Skip(values.Count - width)] : values, width, 1, hasUnicode)[0];

    /// <summary>The highest value; 0 if none is known.</summary>
    public static double MostOf(IEnumerable<double> values) => values.Where(double.IsFinite).DefaultIfEmpty().Max();

    /// <summary>Draws all values on several lines, the upper one first. If there are more values than columns, each column has the highest of
    /// its values.</summary>
    /// <param name="values">The values. NaN is a gap.</param>
    /// <param name="width">The number of columns.</param>
    /// <param name="height">The number of lines.</param>
    /// <param name="hasUnicode">False for ASCII.</param>
    /// <param name="scale">The end of the scale. The default is the highest value.</param>
    public static string[] Draw(IReadOnlyList<double> values, int width, int height, bool hasUnicode, double? scale = null)
    {
        double[] columns = Fit(values, width);
        double most = scale ?? MostOf(columns);
        string signs = hasUnicode ? Blocks : Plain;
        string[] lines = new string[height];
        for (int line = 0; line < height; line++)
        {
            int below = (height - 1 - line) * Steps;
            lines[line] = string.Concat(columns.Select(value => signs[Math.Clamp(StepsOf(value, most, height * Steps) - below, 0, Steps)]));
        }

        return lines;
    }

    /// <summary>One value per column. Fewer values are on the right side.</summary>
    internal static double[] Fit(IReadOnlyList<double> values, int width)
    {
        double[] columns = new double[width];
        Array.Fill(columns, double.NaN);
        for (int i = 0; i < values.Count; i++)
        {
            int column = values.Count <= width ? width - values.Count + i : (int)((long)i * width / values.Count);
            columns[column] = double.IsNaN(columns[column]) ? values[i] : double.IsNaN(values[i]) ? columns[column] : Math.Max(columns[column], values[i]);
        }

        return columns;
    }

    /// <summary>A value above 0 is always visible.</summary>
    private static int StepsOf(double value, double most, int steps) =>
        !(value > 0) ? 0 : Math.Max(1, (int)Math.Round(value / most * steps));
}
