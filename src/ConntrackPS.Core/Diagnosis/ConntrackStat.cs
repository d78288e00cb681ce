using ConntrackPS.Linux;

namespace ConntrackPS.Diagnosis;

/// <summary>How full the connection-tracking table is.</summary>
/// <remarks>Documentation/networking/nf_conntrack-sysctl.rst; reading needs no privilege.</remarks>
public sealed class ConntrackStat
{
    private ConntrackStat(long count, long maximum, long buckets, string? networkNamespace)
    {
        Count = count;
        Maximum = maximum;
        Buckets = buckets;
        Namespace = networkNamespace;
    }

    /// <summary>Entries in the table of this network namespace (nf_conntrack_count).</summary>
    public long Count { get; }

    /// <summary>Entries allowed in each network namespace (nf_conntrack_max).</summary>
    public long Maximum { get; }

    /// <summary>Count as a share of Maximum, in percent.</summary>
    public double FillPercent => Maximum == 0 ? 0 : Math.Round(100.0 * Count / Maximum, 2);

    /// <summary>Size of the hash table that all network namespaces share (nf_conntrack_buckets).</summary>
    public long Buckets { get; }

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; }

    /// <summary>Reads the figures of a network namespace.</summary>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    public static ConntrackStat Read(NetworkNamespace? networkNamespace = null) =>
        NetworkNamespace.RunIn(networkNamespace, () => new ConntrackStat(
            Required("nf_conntrack_count"), Required("nf_conntrack_max"), Required("nf_conntrack_buckets"), networkNamespace?.Name));

    private static long Required(string name) =>
        Sysctl.ReadNumber(Sysctl.Netfilter + name) ?? throw new ConntrackUnavailableException("This kernel has no connection tracking.");
}
