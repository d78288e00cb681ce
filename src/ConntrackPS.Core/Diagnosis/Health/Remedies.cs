using System.Globalization;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>Command lines that mend, made for the network namespace a finding is about.</summary>
internal static class Remedies
{
    /// <summary>A command that works in the finding's namespace.</summary>
    public static string In(this HealthSnapshot snapshot, string command) =>
        snapshot.Namespace is { } name ? $"{command} -NetworkNamespace {Quote(name)}" : command;

    /// <summary>The same, for now and after the next boot where that can be: files hold for the initial namespace alone.</summary>
    public static string Lasting(this HealthSnapshot snapshot, string command) =>
        snapshot.Namespace is null ? command + " -Persist" : snapshot.In(command);

    /// <summary>Sets a setting that all network namespaces share, in the initial one.</summary>
    public static string Set(string name, long value, bool scaleBucket = false) => string.Create(
        CultureInfo.InvariantCulture, $"Set-ConntrackSetting -Name {name} -Value {value}{(scaleBucket ? " -ScaleBucket" : "")} -Persist");

    /// <summary>Raises the maximum as far as a quarter of the memory goes; where it is there already, lists who fills the
    /// table.</summary>
    public static string RaiseMaximum(this HealthSnapshot snapshot)
    {
        long wanted = snapshot.Maximum * 2;
        long affordable = snapshot.AffordableMaximum() ?? wanted;
        return Math.Min(wanted, affordable) > snapshot.Maximum
            ? Set("Maximum", Math.Min(wanted, affordable), scaleBucket: true)
            : snapshot.In("Get-ConntrackEntry") + " | Group-Object SourceAddress -NoElement | Sort-Object Count -Descending | Select-Object -First 10";
    }

    /// <summary>Entries for which a quarter of the memory is enough, with as many buckets.</summary>
    public static long? AffordableMaximum(this HealthSnapshot snapshot) =>
        snapshot.MemoryBytes / 4 / ((snapshot.EntryBytes ?? EntryMemory.DefaultEntryBytes) + EntryMemory.ExtensionBytes + EntryMemory.BucketBytes);

    /// <summary>As PowerShell wants it.</summary>
    public static string Quote(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}
