using System.Text.RegularExpressions;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>From .NET's spelling of a name to C's.</summary>
internal static partial class Names
{
    /// <summary>SrcNatDone becomes SRC_NAT_DONE; Icmpv6Id becomes ICMPV6_ID.</summary>
    public static string UpperSnake(string name) => WordBoundary().Replace(name, "_").ToUpperInvariant();

    [GeneratedRegex("(?<=[a-z0-9])(?=[A-Z])")]
    private static partial Regex WordBoundary();
}
