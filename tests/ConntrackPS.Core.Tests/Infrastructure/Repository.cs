using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Finds the files of the checkout.</summary>
internal static class Repository
{
    /// <summary>The folder of the solution.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The file of an assembly under test.</summary>
    public static string Built(string assembly) => Path.Combine(AppContext.BaseDirectory, $"{assembly}.dll");

    /// <summary>The text of each C# file below a folder of the checkout, without comments.</summary>
    public static IEnumerable<string> Sources(string folder) =>
        from file in Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories)
        where !file.Contains("/obj/", StringComparison.Ordinal) && !file.Contains("/bin/", StringComparison.Ordinal)
        select Regex.Replace(File.ReadAllText(file), "//.*", "");

    private static string FindRoot([CallerFilePath] string self = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(self)!, "../../.."));
}
