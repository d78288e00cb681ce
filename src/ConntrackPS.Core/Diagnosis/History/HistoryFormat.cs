using System.Globalization;
using System.Text;

namespace ConntrackPS.Diagnosis.History;

/// <summary>The lines of a history: CSV (RFC 4180) in UTF-8, below a line that names the format and its version.</summary>
/// <remarks>The last value of each line is always the same word. A line without it was cut, because a crash leaves only the beginning of
/// what was written.</remarks>
internal static class HistoryFormat
{
    /// <summary>The beginning of the first line, before the number of the version.</summary>
    public const string Title = "# ConntrackPS history, version ";

    /// <summary>The longest line. Names have at most 255 bytes, and a line has at most 1000 sources.</summary>
    public const int LongestLine = 64 * 1024;

    private const string Version = "1";
    private const string EndMark = "end";
    private const string TimeForm = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    private static readonly Counter[] Counters = Enum.GetValues<Counter>();

    private static readonly string[] Columns =
    [
        "Time", "Sequence", "BootId", "Uptime", "Namespace", "Count", "Maximum", "Buckets",
        .. Counters.Select(counter => counter.ToString()),
        "TopSources", "End",
    ];

    /// <summary>The first line.</summary>
    public static string FirstLine => Title + Version;

    /// <summary>The second line.</summary>
    public static string ColumnLine { get; } = string.Join(',', Columns);

    /// <summary>The first two lines, with their ends.</summary>
    public static string Head { get; } = $"{FirstLine}\n{ColumnLine}\n";

    /// <summary>A record as a line, without its end.</summary>
    public static string Write(ConntrackHistoryRecord record) => string.Join(',', ((string?[])
    [
        record.Time.ToUniversalTime().ToString(TimeForm, CultureInfo.InvariantCulture),
        Number(record.Sequence),
        record.BootId,
        record.Uptime?.ToString("0.000", CultureInfo.InvariantCulture),
        record.Namespace,
        Number(record.Count),
        Number(record.Maximum),
        Number(record.Buckets),
        .. Counters.Select(counter => record.Values[counter]?.ToString(CultureInfo.InvariantCulture)),
        record.TopSources?.ToString(),
        EndMark,
    ]).Select(Quote));

    /// <summary>Reads a line.</summary>
    /// <returns>Null if the line is cut or damaged.</returns>
    public static ConntrackHistoryRecord? Read(string line)
    {
        if (!line.EndsWith(EndMark, StringComparison.Ordinal) || CsvLine.Split(line) is not { } values || values.Count != Columns.Length || values[^1] != EndMark)
            return null;
        CounterValues counters = new();
        bool isGood = DateTime.TryParseExact(
            values[0], TimeForm, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal | DateTimeStyles.AssumeUniversal, out DateTime time);
        long? sequence = Number(values[1], ref isGood);
        double? uptime = Seconds(values[3], ref isGood);
        long? count = Number(values[5], ref isGood), maximum = Number(values[6], ref isGood), buckets = Number(values[7], ref isGood);
        foreach (Counter counter in Counters)
            counters[counter] = (ulong?)Number(values[8 + (int)counter], ref isGood);
        SourceCounts? sources = values[^2].Length == 0 ? null : SourceCounts.Parse(values[^2]);
        if (!isGood || count is null || (sources is null && values[^2].Length > 0))
            return null;
        return new ConntrackHistoryRecord(counters)
        {
            Time = time.ToLocalTime(),
            Sequence = sequence,
            BootId = values[2].Length == 0 ? null : values[2],
            Uptime = uptime,
            Namespace = values[4].Length == 0 ? null : values[4],
            Count = count.Value,
            Maximum = maximum,
            Buckets = buckets,
            TopSources = sources,
        };
    }

    private static string? Number(long? number) => number?.ToString(CultureInfo.InvariantCulture);

    private static long? Number(string text, ref bool isGood)
    {
        if (text.Length == 0)
            return null;
        isGood &= long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number);
        return number;
    }

    private static double? Seconds(string text, ref bool isGood)
    {
        if (text.Length == 0)
            return null;
        isGood &= double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds);
        return seconds;
    }

    private static string Quote(string? text) => text is null
        ? ""
        : text.AsSpan().IndexOfAny(",\"\r\n") >= 0 || text.StartsWith(' ') || text.EndsWith(' ')
            ? $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\""
            : text;
}

/// <summary>The values of a line of CSV (RFC 4180).</summary>
internal static class CsvLine
{
    /// <summary>True if the line ends inside quotation marks, so that it continues on the next one.</summary>
    public static bool IsOpen(string line) => line.Count(letter => letter == '"') % 2 != 0;

    /// <summary>The values.</summary>
    /// <returns>Null if quotation marks are not in pairs, or stand inside a value.</returns>
    public static List<string>? Split(string line)
    {
        List<string> values = [];
        for (int at = 0; ; at++)
        {
            if (at == line.Length || line[at] != '"')
            {
                int end = line.IndexOf(',', at);
                string plain = end < 0 ? line[at..] : line[at..end];
                if (plain.Contains('"', StringComparison.Ordinal))
                    return null;
                values.Add(plain);
                at += plain.Length;
            }
            else
            {
                StringBuilder text = new();
                for (at++; ; at++)
                {
                    if (at == line.Length)
                        return null;
                    if (line[at] == '"' && (++at == line.Length || line[at] != '"'))
                        break;
                    text.Append(line[at]);
                }

                values.Add(text.ToString());
            }

            if (at == line.Length)
                return values;
            if (line[at] != ',')
                return null;
        }
    }
}
