using System.Globalization;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>The machine's memory, and what of it an entry takes.</summary>
internal static class MachineMemory
{
    private const string MemoryFile = "/proc/meminfo";
    private const string SlabFile = "/proc/slabinfo";
    private const string CacheName = "nf_conntrack";

    /// <summary>All memory in bytes (MemTotal of /proc/meminfo); null where it can't be read.</summary>
    public static long? TotalBytes() => TryRead(MemoryFile) is { } lines ? ParseTotal(lines) : null;

    /// <summary>Bytes of an entry in its slab cache, its share of what the pages waste included; null where
    /// /proc/slabinfo can't be read: it is for root alone.</summary>
    public static int? EntryBytes() => TryRead(SlabFile) is { } lines ? ParseEntry(lines, Environment.SystemPageSize) : null;

    internal static long? ParseTotal(IEnumerable<string> lines) =>
        lines.FirstOrDefault(line => line.StartsWith("MemTotal:", StringComparison.Ordinal)) is { } line
            && Words(line) is [_, { } kibibytes, ..] && long.TryParse(kibibytes, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? number * 1024
            : null;

    /// <summary>slabinfo(5): name, active objects, objects, object size, objects per slab, pages per slab.</summary>
    internal static int? ParseEntry(IEnumerable<string> lines, int pageSize)
    {
        // The expectations have a cache whose name begins alike.
        if (lines.Select(Words).FirstOrDefault(words => words is [CacheName, _, _, _, _, _, ..]) is not { } words)
            return null;
        int? perSlab = Number(words[4]);
        return perSlab > 0 ? Number(words[5]) * pageSize / perSlab : Number(words[3]);
    }

    private static string[]? TryRead(string file)
    {
        try
        {
            return File.ReadAllLines(file);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string[] Words(string line) => line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    private static int? Number(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;
}
