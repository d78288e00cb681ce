namespace ConntrackPS.Tuning.Persistence;

/// <summary>Names of kernel parameters as sysctl(8) writes them.</summary>
internal static class SysctlKey
{
    private const string Prefix = "net.netfilter.";

    /// <summary>Where kernels before 4.19 had the same parameters as well.</summary>
    private const string FormerPrefix = "net.ipv4.netfilter.ip_conntrack_";

    /// <summary>The key of a file below /proc/sys/net/netfilter.</summary>
    public static string Of(string name) => Prefix + name;

    /// <summary>True for a parameter of connection tracking, spelled as <see cref="Normalize"/> does.</summary>
    public static bool IsOfConntrack(string key) => key.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>True for a name that the kernel has given up: a line with it sets nothing.</summary>
    public static bool IsGivenUp(string key) => key.StartsWith(FormerPrefix, StringComparison.Ordinal);

    /// <summary>One spelling for each way through /proc/sys. The first separator says which of the two divides: with
    /// <c>net/netfilter/x</c> a dot belongs to a name, with <c>net.netfilter.x</c> a slash does (sysctl_normalize of systemd,
    /// slashdot of procps).</summary>
    public static string Spell(ReadOnlySpan<char> key)
    {
        int first = key.IndexOfAny('.', '/');
        string text = key.ToString();
        if (first >= 0 && text[first] == '/')
            text = string.Create(text.Length, text, (characters, source) =>
            {
                for (int i = 0; i < source.Length; i++)
                    characters[i] = source[i] switch { '/' => '.', '.' => '/', char other => other };
            });
        return text.TrimStart('.');
    }

    /// <summary>One name for each parameter: the maximum has a second one.</summary>
    public static string Normalize(ReadOnlySpan<char> key)
    {
        string dotted = Spell(key);
        return dotted == "net.nf_conntrack_max" ? Of("nf_conntrack_max") : dotted;
    }
}
