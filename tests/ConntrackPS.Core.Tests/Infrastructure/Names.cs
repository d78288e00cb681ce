using System.Text.RegularExpressions;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Converts names from .NET's spelling to C's.</summary>
internal static partial class Names
{
    /// <summary>Converts SrcNatDone to SRC_NAT_DONE, and Icmpv6Id to ICMPV6_ID.</summary>
    public static string UpperSnake(string name) => WordBoundary().Replace(name, "_").ToUpperInvariant();

    [GeneratedRegex("(?<=[a-z0-9])(?=[A-Z])")]
    private static partial Regex WordBoundary();
}
