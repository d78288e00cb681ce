using ConntrackPS.Linux;

namespace ConntrackPS.Conntrack.Table;

/// <summary>How full a table is, by the kernel's figures below /proc/sys/net/netfilter.</summary>
internal static class TableFill
{
    /// <summary>Entries as a share of the maximum, in percent; 0 without a limit.</summary>
    public static double Percent(long count, long maximum) => maximum == 0 ? 0 : Math.Round(100.0 * count / maximum, 2);

    /// <summary>The same, read of a network namespace.</summary>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public static double ReadPercent(NetworkNamespace? networkNamespace) =>
        NetworkNamespace.RunIn(networkNamespace, () => Percent(Figure("nf_conntrack_count"), Figure("nf_conntrack_max")));

    /// <summary>One figure of the calling thread's namespace, such as nf_conntrack_count.</summary>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    public static long Figure(string name) =>
        Sysctl.ReadNumber(Sysctl.Netfilter + name) ?? throw new ConntrackUnavailableException("This kernel has no connection tracking.");
}
