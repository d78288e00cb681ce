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

    public ReadOnlySpan<byte> Payload => Bytes[NetlinkProtocol.HeaderSize..];

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
            return new AttributeReader(Bytes[(NetlinkProtocol.HeaderSize + NetlinkProtocol.NetfilterHeaderSize)..]);
        }
    }

    private ReadOnlySpan<byte> NetfilterHeader =>
        Bytes.Length >= NetlinkProtocol.HeaderSize + NetlinkProtocol.NetfilterHeaderSize
            ? Bytes.Slice(NetlinkProtocol.HeaderSize, NetlinkProtocol.NetfilterHeaderSize)
            : throw TooShort(Bytes.Length);

    private static NetlinkProtocolException TooShort(int length) =>
        new($"A netfilter message of {length} bytes has no room for its header.");
}

/// <summary>Walks the messages of one datagram.</summary>
internal ref struct MessageReader(ReadOnlySpan<byte> datagram)
{
    private ReadOnlySpan<byte> _rest = datagram;

    /// <summary>Takes the next message.</summary>
    /// <returns>False at the end of the datagram.</returns>
    /// <exception cref="NetlinkProtocolException">The header is truncated, or its length is malformed.</exception>
    public bool TryRead(out NetlinkMessage message)
    {
        message = default;
        if (_rest.IsEmpty)
            return false;
        if (_rest.Length < NetlinkProtocol.HeaderSize)
            throw new NetlinkProtocolException($"{_rest.Length} bytes are too few for a netlink header.");
        uint length = MemoryMarshal.Read<uint>(_rest);
        if (length < NetlinkProtocol.HeaderSize || length > (uint)_rest.Length)
            throw new NetlinkProtocolException($"A netlink message claims {length} bytes where {_rest.Length} are left.");
        message = new NetlinkMessage(_rest[..(int)length]);
        _rest = _rest[Math.Min(NetlinkProtocol.Align((int)length), _rest.Length)..];
        return true;
    }
}
