using System.Globalization;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>Command lines that mend, made for the network namespace and the files that a finding is about.</summary>
internal static class Remedies
{
    /// <summary>A command that works in the finding's namespace.</summary>
    public static string In(this HealthSnapshot snapshot, string command) =>
        command + Where(snapshot.Namespace);

    /// <summary>The parameter that names a network namespace; nothing for the caller's own.</summary>
    public static string Where(string? networkNamespace) => networkNamespace is null ? "" : " -NetworkNamespace " + Quote(networkNamespace);

    /// <summary>Turns a setting on, for a namespace as it is now.</summary>
    public static string TurnOn(string name, string value, NetworkNamespace? networkNamespace) =>
        $"Set-ConntrackSetting -Name {name} -Value {value}{Where(networkNamespace?.Name)}";

    /// <summary>The same, for now and after the next boot where that can be: files hold for one namespace alone.</summary>
    public static string Lasting(this HealthSnapshot snapshot, string command) =>
        snapshot.IsSetByBoot ? $"{snapshot.In(command)} -Persist{Root(snapshot.Root)}" : snapshot.In(command);

    /// <summary>Sets a setting that all network namespaces share, in the initial one.</summary>
    public static string Set(this HealthSnapshot snapshot, string name, long value, bool scaleBucket = false) => string.Create(
        CultureInfo.InvariantCulture,
        $"Set-ConntrackSetting -Name {name} -Value {value}{(scaleBucket ? " -ScaleBucket" : "")} {InMachine(snapshot)}");

    /// <summary>Sets the maximum, and the buckets too where they are fewer.</summary>
    public static string SetMaximum(this HealthSnapshot snapshot, long value) =>
        snapshot.Set("Maximum", value, scaleBucket: snapshot.Buckets < value);

    /// <summary>The namespace where it can be set, and that the next boot shall do so too.</summary>
    private static string InMachine(HealthSnapshot snapshot) => snapshot.MachinePlace switch
    {
        MachinePlace.OfFirstProcess => $"-NetworkNamespace {MachineNamespace.OfFirstProcess} -Persist{Root(snapshot.Root)}",

        // Run here it would be refused, and change nothing.
        MachinePlace.Elsewhere => "# on the host: in the initial network namespace",
        _ => "-Persist" + Root(snapshot.Root),
    };

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
        $"(Get-Content -Raw -Encoding latin1 -LiteralPath {Quote(file)}) -replace '(?m)^(?=[ \\t]*-*[ \\t]*[./]*net\\S*[./]{key.Split('.')[^1]}[ \\t]*(?:=|\\r?$))', '# '" +
        $" | Set-Content -NoNewline -Encoding latin1 -LiteralPath {Quote(file)}";

    /// <summary>Makes a comment of the lines of a file of modprobe.d that give the hash table's size; a file may have more.</summary>
    public static string TakeHashSizeOut(string file) =>
        $"(Get-Content -Raw -Encoding latin1 -LiteralPath {Quote(file)}) -replace '(?m)^(?=[ \\t]*options[ \\t]+nf[-_]conntrack[ \\t].*\\bhashsize\\b)', '# '" +
        $" | Set-Content -NoNewline -Encoding latin1 -LiteralPath {Quote(file)}";

    /// <summary>The parameter that names the files' root, where it is not the running system's.</summary>
    public static string Root(SystemRoot root) => root.IsRunning ? "" : " -PersistRoot " + Quote(root.Path);

    /// <summary>As PowerShell wants it.</summary>
    public static string Quote(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}
