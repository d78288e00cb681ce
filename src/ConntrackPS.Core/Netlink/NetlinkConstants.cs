using System.Diagnostics.CodeAnalysis;

namespace ConntrackPS.Netlink;

/// <summary>Flags of a netlink message (NLM_F_*, linux/netlink.h).</summary>
[Flags]
[SuppressMessage("Design", "CA1069", Justification = "The kernel gives a bit another meaning with each kind of message.")]
internal enum MessageFlags : ushort
{
    None = 0,
    Request = 0x1,
    Multi = 0x2,
    Ack = 0x4,
    Echo = 0x8,
    DumpInterrupted = 0x10,
    DumpFiltered = 0x20,
    Root = 0x100,
    Match = 0x200,
    Dump = Root | Match,
    Replace = 0x100,
    Exclusive = 0x200,
    Create = 0x400,
    Append = 0x800,

    /// <summary>In an error message: the original request is not repeated in the answer.</summary>
    Capped = 0x100,

    /// <summary>In an error message: extended ACK attributes follow.</summary>
    AckAttributes = 0x200,
}

/// <summary>Control message types (NLMSG_*, linux/netlink.h).</summary>
internal static class ControlMessage
{
    public const ushort Error = 2;
    public const ushort Done = 3;

    /// <summary>NLMSG_MIN_TYPE: types below are control messages.</summary>
    public const ushort FirstData = 0x10;
}

/// <summary>Sizes and masks of the wire format (linux/netlink.h, linux/netfilter/nfnetlink.h).</summary>
internal static class NetlinkProtocol
{
    /// <summary>NETLINK_NETFILTER.</summary>
    public const int NetfilterFamily = 12;

    /// <summary>SOL_NETLINK.</summary>
    public const int SocketLevel = 270;

    /// <summary>sizeof(struct nlmsghdr).</summary>
    public const int HeaderSize = 16;

    /// <summary>sizeof(struct nfgenmsg).</summary>
    public const int NetfilterHeaderSize = 4;

    /// <summary>sizeof(struct nlattr).</summary>
    public const int AttributeHeaderSize = 4;

    /// <summary>NLA_F_NESTED.</summary>
    public const ushort NestedFlag = 0x8000;

    /// <summary>NLA_TYPE_MASK: the type without NLA_F_NESTED and NLA_F_NET_BYTEORDER.</summary>
    public const ushort AttributeTypeMask = 0x3fff;

    /// <summary>The largest datagram of a dump is 32,448 bytes, so this size always holds it.</summary>
    public const int DatagramSize = 32 * 1024;

    /// <summary>NLMSG_ALIGN, NLA_ALIGN.</summary>
    public static int Align(int length) => (length + 3) & ~3;
}

/// <summary>Socket options of level SOL_NETLINK (linux/netlink.h).</summary>
internal enum NetlinkSocketOption
{
    AddMembership = 1,
    BroadcastError = 4,
    NoEnobufs = 5,
    CapAck = 10,
    ExtAck = 11,
}

/// <summary>Attributes of an extended ACK (NLMSGERR_ATTR_*, linux/netlink.h).</summary>
internal enum ErrorAttribute : ushort
{
    Msg = 1,
    Offs = 2,
}

/// <summary>Multicast groups (NFNLGRP_*, linux/netfilter/nfnetlink.h).</summary>
internal enum NetfilterGroup
{
    ConntrackNew = 1,
    ConntrackUpdate,
    ConntrackDestroy,
    ConntrackExpNew,
    ConntrackExpUpdate,
    ConntrackExpDestroy,
}
