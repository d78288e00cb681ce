using System.Runtime.CompilerServices;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Where files of the checkout are.</summary>
internal static class Repository
{
    /// <summary>The folder of the solution.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>An assembly below src, as it was built in the configuration of these tests.</summary>
    public static string Built(string assembly)
    {
        string configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;
        return Path.Combine(Root, "src", assembly, "bin", configuration, "net8.0", $"{assembly}.dll");
    }

    private static string FindRoot([CallerFilePath] string self = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(self)!, "../../.."));
}
