using System.Globalization;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>Command lines that mend, made for the network namespace and the files that a finding is about.</summary>
internal static class Remedies
{
    /// <summary>A command that works in the finding's namespace.</summary>
    public static string In(this HealthSnapshot snapshot, string command) =>
        snapshot.Namespace is { } name ? $"{command} -NetworkNamespace {Quote(name)}" : command;

    /// <summary>The same, for now and after the next boot where that can be: files hold for the initial namespace alone.</summary>
    public static string Lasting(this HealthSnapshot snapshot, string command) =>
        snapshot.Namespace is null ? $"{command} -Persist{Root(snapshot.Root)}" : snapshot.In(command);

    /// <summary>Sets a setting that all network namespaces share, in the initial one.</summary>
    public static string Set(this HealthSnapshot snapshot, string name, long value, bool scaleBucket = false) => string.Create(
        CultureInfo.InvariantCulture,
        $"Set-ConntrackSetting -Name {name} -Value {value}{(scaleBucket ? " -ScaleBucket" : "")} -Persist{Root(snapshot.Root)}");

    /// <summary>Sets the maximum, and the buckets too where they are fewer.</summary>
    public static string SetMaximum(this HealthSnapshot snapshot, long value) =>
        snapshot.Set("Maximum", value, scaleBucket: snapshot.Buckets < value);

    /// <summary>Raises the maximum as far as a quarter of the memory goes; where it is there already, lists who fills the
    /// table.</summary>
    public static string RaiseMaximum(this HealthSnapshot snapshot)
    {
        long wanted = snapshot.Maximum * 2;
        long possible = Math.Min(wanted, snapshot.AffordableMaximum() ?? wanted);
        return possible > snapshot.Maximum
            ? snapshot.SetMaximum(possible)
            : snapshot.In("Get-ConntrackEntry") + " | Group-Object SourceAddress -NoElement | Sort-Object Count -Descending | Select-Object -First 10";
    }

    /// <summary>Entries for which a quarter of the memory is enough, with as many buckets.</summary>
    public static long? AffordableMaximum(this HealthSnapshot snapshot) =>
        snapshot.MemoryBytes / 4 / ((snapshot.EntryBytes ?? EntryMemory.DefaultEntryBytes) + EntryMemory.ExtensionBytes + EntryMemory.BucketBytes);

    /// <summary>Makes comments of a file's lines that set a parameter, in whatever spelling; every other byte stays.</summary>
    /// <param name="file">The file.</param>
    /// <param name="key">The parameter, with dots.</param>
    public static string CommentOut(string file, string key) =>
        $"(Get-Content -Raw -Encoding latin1 -LiteralPath {Quote(file)}) -replace '(?m)^(?=[ \\t]*-?[ \\t]*net\\S*[./]{key.Split('.')[^1]}[ \\t]*=)', '# '" +
        $" | Set-Content -NoNewline -Encoding latin1 -LiteralPath {Quote(file)}";

    /// <summary>The parameter that names the files' root, where it is not the running system's.</summary>
    public static string Root(SystemRoot root) => root.IsRunning ? "" : " -PersistRoot " + Quote(root.Path);

    /// <summary>As PowerShell wants it.</summary>
    public static string Quote(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}
