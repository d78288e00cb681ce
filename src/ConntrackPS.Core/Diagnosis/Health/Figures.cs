using System.Globalization;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>Figures as people read them in findings, the same in every culture.</summary>
internal static class Figures
{
    /// <summary>1234567 becomes 1,234,567.</summary>
    public static string Of(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A share of a whole: <c>1,200 of 2,000 (60 %)</c>.</summary>
    public static string Share(long part, long whole) =>
        string.Create(CultureInfo.InvariantCulture, $"{Of(part)} of {Of(whole)} ({(whole == 0 ? 0 : 100.0 * part / whole):0.#} %)");

    /// <summary>Bytes in MiB.</summary>
    public static string Mebibytes(long bytes) => Of(bytes >> 20) + " MiB";

    /// <summary>What was counted in a time: <c>120 in 1 s</c>.</summary>
    public static string In(ulong count, TimeSpan sample) =>
        string.Create(CultureInfo.InvariantCulture, $"{count:N0} in {sample.TotalSeconds:0.#} s");

    /// <summary>How long ago: the largest unit is enough.</summary>
    public static string Age(TimeSpan age) => age switch
    {
        { TotalDays: >= 2 } => $"{Of((long)age.TotalDays)} days ago",
        { TotalHours: >= 2 } => $"{Of((long)age.TotalHours)} hours ago",
        { TotalMinutes: >= 2 } => $"{Of((long)age.TotalMinutes)} minutes ago",
        _ => $"{Of((long)Math.Max(0, age.TotalSeconds))} seconds ago",
    };

    /// <summary>Sources with their counts: <c>192.0.2.1 (1,200), 192.0.2.2 (300)</c>.</summary>
    public static string Sources(IEnumerable<SourceCount> sources) =>
        string.Join(", ", sources.Select(source => $"{source.Text} ({Of(source.Count)})"));
}
