using System.Runtime.InteropServices;

namespace ConntrackPS.Netlink;

/// <summary>One netlink message in a receive buffer: struct nlmsghdr, then the payload.</summary>
internal readonly ref struct NetlinkMessage(ReadOnlySpan<byte> bytes)
{
    /// <summary>The whole message, header included, padding excluded.</summary>
    public ReadOnlySpan<byte> Bytes { get; } = bytes;

    public ushort Type => MemoryMarshal.Read<ushort>(Bytes[4..]);

    public MessageFlags Flags => (MessageFlags)MemoryMarshal.Read<ushort>(Bytes[6..]);

    public uint Sequence => MemoryMarshal.Read<uint>(Bytes[8..]);

    public uint PortId => MemoryMarshal.Read<uint>(Bytes[12..]);

    public ReadOnlySpan<byte> Payload => Bytes[Wire.HeaderSize..];

    /// <summary>nfgenmsg.nfgen_family: an AF_ number, 0 for none.</summary>
    /// <exception cref="NetlinkProtocolException">The message is too short for a netfilter header.</exception>
    public byte NetfilterFamily => NetfilterHeader[0];

    /// <summary>nfgenmsg.res_id, in host byte order.</summary>
    public ushort ResourceId => (ushort)(NetfilterHeader[2] << 8 | NetfilterHeader[3]);

    /// <summary>The attributes that follow the netfilter header.</summary>
    /// <exception cref="NetlinkProtocolException">The message is too short for a netfilter header.</exception>
    public AttributeReader Attributes
    {
        get
        {
            _ = NetfilterHeader;
            return new AttributeReader(Bytes[(Wire.HeaderSize + Wire.NetfilterHeaderSize)..]);
        }
    }

    private ReadOnlySpan<byte> NetfilterHeader =>
        Bytes.Length >= Wire.HeaderSize + Wire.NetfilterHeaderSize
            ? Bytes.Slice(Wire.HeaderSize, Wire.NetfilterHeaderSize)
            : throw TooShort(Bytes.Length);

    private static NetlinkProtocolException TooShort(int length) =>
        new($"A netfilter message of {length} bytes has no room for its header.");
}
