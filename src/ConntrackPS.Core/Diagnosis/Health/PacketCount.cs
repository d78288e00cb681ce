using System.Globalization;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>How many IP packets have come in, of both families.</summary>
/// <remarks>Ip InReceives of /proc/net/snmp (RFC 1213, ipInReceives) and Ip6InReceives of /proc/net/snmp6.</remarks>
internal static class PacketCount
{
    private const string Directory = "/proc/thread-self/net/";

    /// <summary>Of the thread's network namespace; null where the kernel doesn't tell.</summary>
    public static long? Read() =>
        File.Exists(Directory + "snmp")
            ? Parse(File.ReadAllLines(Directory + "snmp"), File.Exists(Directory + "snmp6") ? File.ReadAllLines(Directory + "snmp6") : [])
            : null;

    internal static long? Parse(string[] snmp, string[] snmp6)
    {
        // A line of names, then a line of values.
        string[][] lines = [.. snmp.Where(line => line.StartsWith("Ip:", StringComparison.Ordinal)).Select(line => line.Split(' '))];
        if (lines is not [string[] names, string[] values] || Array.IndexOf(names, "InReceives") is not (> 0 and int column) || column >= values.Length)
            return null;
        string? six = Array.Find(snmp6, line => line.StartsWith("Ip6InReceives", StringComparison.Ordinal));
        return Number(values[column]) + (six is null ? 0 : Number(six.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[^1]));
    }

    private static long? Number(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : null;
}
