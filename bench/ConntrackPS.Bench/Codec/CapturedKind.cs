namespace ConntrackPS.Bench.Codec;

/// <summary>The messages that <see cref="Captured"/> holds.</summary>
public enum CapturedKind
{
    /// <summary>TCP over IPv4.</summary>
    Tcp,

    /// <summary>UDP over IPv4.</summary>
    Udp,

    /// <summary>TCP over IPv6.</summary>
    TcpIPv6,

    /// <summary>TCP over IPv4 with counters and timestamps (nf_conntrack_acct, nf_conntrack_timestamp).</summary>
    TcpCounted,

    /// <summary>TCP over IPv4, created by netlink as a restored table's entries are: it carries an empty CTA_SYNPROXY.</summary>
    TcpCreated,
}
