using ConntrackPS.Conntrack;
using ConntrackPS.Netlink;

namespace ConntrackPS.Tuning.Timeouts;

/// <summary>Writes and reads timeouts of one protocol, those of a policy and the defaults alike.</summary>
/// <remarks>CTA_TIMEOUT_L3PROTO (be16), CTA_TIMEOUT_L4PROTO (u8), CTA_TIMEOUT_DATA (a nest of be32 seconds by state).</remarks>
internal static class TimeoutCodec
{
    /// <summary>Writes the protocol and what timeouts are given.</summary>
    public static void Write(
        ref MessageWriter writer, IPFamily family, TimeoutProtocol protocol, IEnumerable<(TimeoutDefinition Definition, uint Seconds)> values)
    {
        writer.PutUInt16((ushort)TimeoutAttribute.L3proto, (ushort)family);
        writer.PutByte((ushort)TimeoutAttribute.L4proto, (byte)protocol);
        MessageWriter.Nest data = writer.BeginNest((ushort)TimeoutAttribute.Data);
        foreach ((TimeoutDefinition definition, uint seconds) in values)
            writer.PutUInt32(definition.Attribute, seconds);
        writer.EndNest(data);
    }

    /// <summary>Reads CTA_TIMEOUT_DATA: seconds by attribute. States unknown here are kept, and not shown.</summary>
    public static Dictionary<byte, uint> ReadData(AttributeReader data)
    {
        Dictionary<byte, uint> seconds = [];
        while (data.Read())
            seconds[(byte)data.Type] = data.UInt32;
        return seconds;
    }
}

/// <summary>Messages of subsystem NFNL_SUBSYS_CTNETLINK_TIMEOUT (enum ctnl_timeout_msg_types,
/// linux/netfilter/nfnetlink_cttimeout.h).</summary>
internal enum TimeoutMessage : ushort
{
    New = 0x800,
    Get,
    Delete,
    DefaultSet,
    DefaultGet,
}

/// <summary>CTA_TIMEOUT_* (enum ctattr_timeout).</summary>
internal enum TimeoutAttribute : ushort
{
    Name = 1,
    L3proto,
    L4proto,
    Data,
    Use,
}
