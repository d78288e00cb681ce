using System.Globalization;

namespace ConntrackPS.Tuning.Persistence;

/// <summary>Writes what the next boot shall set: one file of ours in sysctl.d, in which the lines of others stay.</summary>
/// <param name="root">The system to write to.</param>
internal sealed class SettingPersister(SystemRoot root)
{
    private const string Header = "# Written by ConntrackPS (Set-ConntrackTimeout, Set-ConntrackSetting -Persist). Other lines are kept.";
    private const string Module = "nf_conntrack";
    private const string Buckets = "nf_conntrack_buckets";
    private const string HashSize = "hashsize=";

    /// <summary>Sets parameters from the next boot on.</summary>
    /// <param name="changes">Files below /proc/sys/net/netfilter, and their values; null takes our line away.</param>
    /// <returns>The files that have changed.</returns>
    /// <exception cref="PersistenceException">Nothing has changed on disk.</exception>
    public IReadOnlyList<string> Persist(params (string Name, long? Value)[] changes)
    {
        FileChanges files = new();
        files.Edit(root.SysctlFile, lines => WithHeader(changes.Aggregate(lines, Apply)));

        // So that the module comes with its hash table's size, and need not resize it.
        if (changes.FirstOrDefault(change => change.Name == Buckets).Value is { } buckets)
            files.Edit(root.ModuleOptionsFile, lines => WithHeader(WithHashSize(lines, buckets)));

        // Boot sets sysctls before netfilter rules load the module: its own would not be there yet, and be passed over.
        if (root.IsModular && changes.Any(change => change.Value is not null) && !IsLoadedAtBoot())
            files.Edit(root.ModuleLoadFile, lines => WithHeader([.. lines, Module]));
        return files.Changed;
    }

    private static IReadOnlyList<string> Apply(IReadOnlyList<string> lines, (string Name, long? Value) change)
    {
        string key = SysctlKey.Of(change.Name);
        List<string> result = [.. lines];
        int place = result.FindIndex(line => SysctlLine.Parse(line)?.Key == key);
        result.RemoveAll(line => SysctlLine.Parse(line)?.Key == key);
        if (change.Value is { } value)
            result.Insert(place < 0 ? result.Count : place, new SysctlLine(key, value.ToString(CultureInfo.InvariantCulture)).ToString());
        return result;
    }

    private static List<string> WithHashSize(IReadOnlyList<string> lines, long buckets)
    {
        string option = string.Create(CultureInfo.InvariantCulture, $"{HashSize}{buckets}");
        List<string> result = [.. lines];
        int place = result.FindIndex(line => line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is ["options", Module, ..]);
        if (place < 0)
            return [.. result, $"options {Module} {option}"];
        IEnumerable<string> others = result[place].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
            .Where(word => !word.StartsWith(HashSize, StringComparison.Ordinal));
        result[place] = string.Join(' ', others.Append(option));
        return result;
    }

    private bool IsLoadedAtBoot() =>
        root.ModuleLoadDirectories.Where(Directory.Exists).SelectMany(directory => Directory.EnumerateFiles(directory, "*.conf"))
            .Append(root.ModulesFile).Where(File.Exists).SelectMany(File.ReadLines)
            .Any(line => line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is [Module, ..]);

    /// <summary>A file with nothing left but our own header is deleted.</summary>
    private static IReadOnlyList<string>? WithHeader(IReadOnlyList<string> lines)
    {
        if (lines.All(line => line == Header || string.IsNullOrWhiteSpace(line)))
            return null;
        return lines.Contains(Header) ? lines : [Header, .. lines];
    }
}
