using System.Diagnostics;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Diagnosis.Statistics;

/// <summary>All figures of one network namespace, read together.</summary>
/// <param name="Count">nf_conntrack_count.</param>
/// <param name="Maximum">nf_conntrack_max.</param>
/// <param name="Buckets">nf_conntrack_buckets.</param>
/// <param name="Processors">Counters of each processor.</param>
/// <param name="Time">When.</param>
/// <param name="Timestamp">The same by a clock that never jumps (<see cref="Stopwatch"/>).</param>
/// <param name="Namespace">Where, as the user named it; null for the caller's own.</param>
/// <param name="Made">When that namespace was made, where it is known: its name may go to another one.</param>
internal sealed record StatReading(
    long Count, long Maximum, long Buckets, IReadOnlyList<CpuCounters> Processors, DateTime Time, long Timestamp, string? Namespace, DateTime? Made)
{
    /// <summary>Reads the figures of a network namespace.</summary>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public static StatReading Read(NetworkNamespace? networkNamespace) => NetworkNamespace.RunIn(networkNamespace, () => new StatReading(
        TableFill.Figure("nf_conntrack_count"),
        TableFill.Figure("nf_conntrack_max"),
        TableFill.Figure("nf_conntrack_buckets"),
        ReadCounters(),
        DateTime.Now,
        Stopwatch.GetTimestamp(),
        networkNamespace?.Name,
        networkNamespace?.Made));

    /// <summary>Netlink is there without /proc/net/stat, and that without a privilege; they count the same.</summary>
    private static IReadOnlyList<CpuCounters> ReadCounters()
    {
        try
        {
            using NetlinkConnection connection = NetlinkConnection.Open();
            return NetlinkCounterReader.Read(connection);
        }
        catch (NetlinkException)
        {
            return ProcCounterReader.Read();
        }
    }
}
