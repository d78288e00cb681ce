using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>What a scan works with, and how long it puts up with a table that is resized under it.</summary>
internal sealed record ScanTerms
{
    /// <summary>The kernel's, and what users get.</summary>
    public static readonly ScanTerms Default = new();

    /// <summary>Opens the connection, anew at each repeat.</summary>
    public Func<NetworkNamespace?, NetlinkConnection> Open { get; init; } = NetlinkConnection.Open;

    /// <summary>Tells how many entries there are in the connection's network namespace; null where that is not known.</summary>
    public Func<NetlinkConnection, uint?> ReadCount { get; init; } = TableCount.TryRead;

    /// <summary>Tells the number of buckets; null: it is read from /proc/sys.</summary>
    public Func<long>? ReadBuckets { get; init; }

    /// <summary>How often a scan begins again in any case. One pass over millions of entries takes seconds.</summary>
    public int LeastRepeats { get; init; } = 5;

    /// <summary>How long after the first resize a scan begins again in any case: somebody may be trying sizes out, or a
    /// script may write several, and that passes.</summary>
    public TimeSpan RepeatTimeout { get; init; } = TimeSpan.FromSeconds(5);
}
