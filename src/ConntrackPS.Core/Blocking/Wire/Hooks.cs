namespace ConntrackPS.Blocking.Wire;

/// <summary>Families of nf_tables (NFPROTO_*, linux/netfilter.h).</summary>
internal enum NetfilterProtocol : byte
{
    /// <summary>IPv4 and IPv6 in one table.</summary>
    Inet = 1,
    Ipv4 = 2,
    Ipv6 = 10,
}

/// <summary>Where a packet is in its way through the kernel (NF_INET_*, linux/netfilter.h).</summary>
internal enum Hook : uint
{
    PreRouting = 0,
    LocalIn = 1,
    LocalOut = 3,
    PostRouting = 4,
}

/// <summary>The order of chains at a hook (NF_IP_PRI_*, linux/netfilter_ipv4.h).</summary>
internal enum HookPriority
{
    /// <summary>NF_IP_PRI_RAW: after defragmentation, before connection tracking.</summary>
    Raw = -300,

    /// <summary>NF_IP_PRI_CONNTRACK + 1: the packet's entry is known, and not in the table yet if it is a new one.</summary>
    AfterConntrack = -199,

    /// <summary>NF_IP_PRI_NAT_SRC + 1: the translation is known too, and a new entry still not in the table.</summary>
    AfterNatSrc = 101,
}

/// <summary>Verdicts (NF_*, linux/netfilter.h).</summary>
internal enum PacketVerdict : uint
{
    Drop,
    Accept,
}
