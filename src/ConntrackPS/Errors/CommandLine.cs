using System.Globalization;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Errors;

/// <summary>Pieces of the command lines that remedies, warnings and errors show.</summary>
internal static class CommandLine
{
    /// <summary>The parameter that names a network namespace; nothing for the caller's own.</summary>
    public static string Where(string? networkNamespace) => networkNamespace is null ? "" : " -NetworkNamespace " + Quote(networkNamespace);

    /// <summary>Turns a setting on, for a namespace as it is now.</summary>
    public static string TurnOn(string name, object value, NetworkNamespace? networkNamespace) =>
        $"Set-ConntrackSetting -Name {name} -Value {Value(value)}{Where(networkNamespace?.Name)}";

    /// <summary>The parameter that names the files' root, where it is not the running system's.</summary>
    public static string Root(SystemRoot root) => root.IsRunning ? "" : " -PersistRoot " + Quote(root.Path);

    /// <summary>A Boolean, a number or a word as the value of a parameter.</summary>
    public static string Value(object value) =>
        value is bool yes ? (yes ? "$true" : "$false") : Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";

    /// <summary>Text in single quotes, in which PowerShell expands nothing.</summary>
    public static string Quote(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}
