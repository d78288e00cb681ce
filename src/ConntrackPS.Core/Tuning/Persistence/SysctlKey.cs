namespace ConntrackPS.Tuning.Persistence;

/// <summary>Names of kernel parameters as sysctl(8) writes them.</summary>
internal static class SysctlKey
{
    private const string Prefix = "net.netfilter.";

    /// <summary>The key of a file below /proc/sys/net/netfilter.</summary>
    public static string Of(string name) => Prefix + name;

    /// <summary>True for a parameter of connection tracking, spelled as <see cref="Normalize"/> does.</summary>
    public static bool IsOfConntrack(string key) => key.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>One spelling for each parameter: <c>net/netfilter/x</c> and <c>net.netfilter.x</c> are the same, and the
    /// maximum has a second name.</summary>
    public static string Normalize(ReadOnlySpan<char> key)
    {
        string dotted = key.ToString().Replace('/', '.');
        return dotted == "net.nf_conntrack_max" ? Of("nf_conntrack_max") : dotted;
    }
}
