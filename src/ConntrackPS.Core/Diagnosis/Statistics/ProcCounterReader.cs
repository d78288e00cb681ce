using System.Globalization;

namespace ConntrackPS.Diagnosis.Statistics;

/// <summary>Reads the counters from /proc/net/stat/nf_conntrack, which needs no privilege.</summary>
/// <remarks>A header line, then a line of hexadecimal numbers for each possible processor, in their order. Columns are
/// found by name: older kernels count other things in those whose names are not known here.</remarks>
internal static class ProcCounterReader
{
    /// <summary>Of the thread's network namespace; /proc/net would be that of the process.</summary>
    public const string File = "/proc/thread-self/net/stat/nf_conntrack";

    private static readonly char[] Blank = [' ', '\t'];

    /// <returns>None where the kernel was built without CONFIG_NF_CONNTRACK_PROCFS.</returns>
    public static IReadOnlyList<CpuCounters> Read() =>
        System.IO.File.Exists(File) ? Parse(System.IO.File.ReadAllLines(File)) : [];

    internal static IReadOnlyList<CpuCounters> Parse(IReadOnlyList<string> lines)
    {
        if (lines.Count == 0)
            return [];
        Counter?[] columns = [.. Split(lines[0]).Select(ToCounter)];
        return [.. lines.Skip(1).Select((line, cpu) => ParseLine(line, cpu, columns))];
    }

    private static CpuCounters ParseLine(string line, int cpu, Counter?[] columns)
    {
        CpuCounters processor = new(cpu);
        string[] values = Split(line);
        for (int i = 0; i < Math.Min(values.Length, columns.Length); i++)
        {
            // What is no number is no zero either: it stays absent.
            if (columns[i] is { } counter && uint.TryParse(values[i], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint value))
                processor[counter] = value;
        }

        return processor;
    }

    private static string[] Split(string line) => line.Split(Blank, StringSplitOptions.RemoveEmptyEntries);

    private static Counter? ToCounter(string column) => column switch
    {
        "found" => Counter.Found,
        "invalid" => Counter.Invalid,
        "insert" => Counter.Insert,
        "insert_failed" => Counter.InsertFailed,
        "drop" => Counter.Drop,
        "early_drop" => Counter.EarlyDrop,
        "icmp_error" => Counter.Error,
        "search_restart" => Counter.SearchRestart,
        "clashres" => Counter.ClashResolve,
        "chainlength" => Counter.ChainTooLong,
        "expect_new" => Counter.ExpectationNew,
        "expect_create" => Counter.ExpectationCreate,
        "expect_delete" => Counter.ExpectationDelete,
        _ => null,
    };
}
