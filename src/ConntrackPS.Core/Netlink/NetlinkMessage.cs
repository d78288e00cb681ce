using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace ConntrackPS.Netlink;

/// <summary>One netlink message in a receive buffer: struct nlmsghdr, then the payload.</summary>
internal readonly ref struct NetlinkMessage(ReadOnlySpan<byte> bytes)
{
    /// <summary>The whole message, with header, without padding.</summary>
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

/// <summary>Iterates over the messages of one datagram.</summary>
internal ref struct MessageReader(ReadOnlySpan<byte> datagram)
{
    private ReadOnlySpan<byte> _rest = datagram;

    /// <summary>Reads the next message.</summary>
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

/// <summary>Iterates over the attributes of a message or of a nest (struct nlattr). It never reads past their end.</summary>
internal ref struct AttributeReader(ReadOnlySpan<byte> attributes)
{
    /// <summary>The bytes that have not been read yet.</summary>
    public ReadOnlySpan<byte> Rest { get; private set; } = attributes;

    /// <summary>The attribute's type, without its flags.</summary>
    public ushort Type { get; private set; }

    /// <summary>The attribute's value, without padding.</summary>
    public ReadOnlySpan<byte> Value { get; private set; }

    /// <summary>Moves to the next attribute.</summary>
    /// <returns>False at the end.</returns>
    /// <exception cref="NetlinkProtocolException">The attribute is truncated, or its length is malformed.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Read()
    {
        ReadOnlySpan<byte> rest = Rest;
        if (rest.Length < NetlinkProtocol.AttributeHeaderSize)
            return rest.IsEmpty ? false : throw TooFew(rest.Length);
        uint header = MemoryMarshal.Read<uint>(rest);
        int length = AttributeHeader.LengthOf(header, BitConverter.IsLittleEndian);
        if (length < NetlinkProtocol.AttributeHeaderSize || length > rest.Length)
            throw BadLength(length, rest.Length);
        Type = (ushort)(AttributeHeader.TypeOf(header, BitConverter.IsLittleEndian) & NetlinkProtocol.AttributeTypeMask);
        Value = rest[NetlinkProtocol.AttributeHeaderSize..length];
        Rest = rest[Math.Min(NetlinkProtocol.Align(length), rest.Length)..];
        return true;
    }

    /// <summary>A reader for the attributes inside this one.</summary>
    public readonly AttributeReader Nested => new(Value);

    public readonly byte Byte
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Value.Length >= 1 ? Value[0] : throw TooShort(Type, Value.Length, 1);
    }

    public readonly ushort UInt16
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => BinaryPrimitives.TryReadUInt16BigEndian(Value, out ushort value) ? value : throw TooShort(Type, Value.Length, 2);
    }

    public readonly uint UInt32
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => BinaryPrimitives.TryReadUInt32BigEndian(Value, out uint value) ? value : throw TooShort(Type, Value.Length, 4);
    }

    public readonly ulong UInt64
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => BinaryPrimitives.TryReadUInt64BigEndian(Value, out ulong value) ? value : throw TooShort(Type, Value.Length, 8);
    }

    /// <summary>A number in host byte order. Netfilter sends nearly all other numbers in network byte order.</summary>
    public readonly uint HostUInt32 => Value.Length >= 4 ? MemoryMarshal.Read<uint>(Value) : throw TooShort(Type, Value.Length, 4);

    /// <summary>Text up to its terminating NUL, or the whole value if there is none.</summary>
    public readonly string Text
    {
        get
        {
            int end = Value.IndexOf((byte)0);
            return Encoding.UTF8.GetString(end < 0 ? Value : Value[..end]);
        }
    }

    // Static, so that the reader's address is never taken and it can stay in registers.
    private static NetlinkProtocolException TooShort(ushort type, int length, int needed) =>
        new($"Netlink attribute {type} has {length} bytes where {needed} are needed.");

    private static NetlinkProtocolException TooFew(int rest) =>
        new($"{rest} bytes are too few for a netlink attribute.");

    private static NetlinkProtocolException BadLength(int length, int rest) =>
        new($"A netlink attribute claims {length} bytes where {rest} are left.");
}

/// <summary>struct nlattr as one number, for readers that check length and type at once. Both fields have 16 bits in host byte order. In a
/// word of 32 bits the length is the lower half on little-endian machines, and the upper half on s390x.</summary>
internal static class AttributeHeader
{
    /// <summary>The header's word in the given byte order.</summary>
    /// <param name="length">nla_len: header and value, without padding.</param>
    /// <param name="type">nla_type, with its flags.</param>
    /// <param name="isLittleEndian">The byte order. Tests pass both.</param>
    public static uint Word(ushort length, ushort type, bool isLittleEndian) =>
        isLittleEndian ? (uint)type << 16 | length : (uint)length << 16 | type;

    /// <summary>The header's word on this machine. A constant after compilation.</summary>
    public static uint Word(ushort length, ushort type) => Word(length, type, BitConverter.IsLittleEndian);

    /// <summary>nla_len.</summary>
    public static ushort LengthOf(uint word, bool isLittleEndian) => (ushort)(isLittleEndian ? word : word >> 16);

    /// <summary>nla_type, with its flags.</summary>
    public static ushort TypeOf(uint word, bool isLittleEndian) => (ushort)(isLittleEndian ? word >> 16 : word);
}

/// <summary>Writes netlink messages into the caller's buffer. Fills in the length when a message or nest ends.</summary>
internal ref struct MessageWriter(Span<byte> buffer)
{
    private readonly Span<byte> _buffer = buffer;
    private int _length;
    private int _messageStart;

    /// <summary>An open nest. Pass it to <see cref="EndNest"/>.</summary>
    public readonly struct Nest(int start)
    {
        internal int Start { get; } = start;
    }

    /// <summary>All bytes written so far.</summary>
    public readonly ReadOnlySpan<byte> Written => _buffer[.._length];

    /// <summary>Starts a netfilter message. The connection fills in the sequence number.</summary>
    /// <param name="type">Subsystem in the high byte, message in the low one.</param>
    /// <param name="flags">NLM_F_*; NLM_F_REQUEST is always added.</param>
    /// <param name="family">nfgenmsg.nfgen_family.</param>
    /// <param name="version">nfgenmsg.version.</param>
    /// <param name="resourceId">nfgenmsg.res_id, in host byte order.</param>
    public void BeginMessage(ushort type, MessageFlags flags, byte family, byte version = 0, ushort resourceId = 0)
    {
        _messageStart = _length;
        Span<byte> header = Take(NetlinkProtocol.HeaderSize + NetlinkProtocol.NetfilterHeaderSize);
        header.Clear();
        BitConverter.TryWriteBytes(header[4..], type);
        BitConverter.TryWriteBytes(header[6..], (ushort)(flags | MessageFlags.Request));
        header[16] = family;
        header[17] = version;
        BinaryPrimitives.WriteUInt16BigEndian(header[18..], resourceId);
    }

    public readonly void EndMessage() =>
        BitConverter.TryWriteBytes(_buffer[_messageStart..], _length - _messageStart);

    public Nest BeginNest(ushort type)
    {
        int start = _length;
        Span<byte> header = Take(NetlinkProtocol.AttributeHeaderSize);
        BitConverter.TryWriteBytes(header[2..], (ushort)(type | NetlinkProtocol.NestedFlag));
        return new Nest(start);
    }

    public readonly void EndNest(Nest nest) =>
        BitConverter.TryWriteBytes(_buffer[nest.Start..], (ushort)(_length - nest.Start));

    public void Put(ushort type, scoped ReadOnlySpan<byte> value) => value.CopyTo(TakeAttribute(type, value.Length));

    public void PutByte(ushort type, byte value) => TakeAttribute(type, 1)[0] = value;

    public void PutUInt16(ushort type, ushort value) =>
        BinaryPrimitives.WriteUInt16BigEndian(TakeAttribute(type, 2), value);

    public void PutUInt32(ushort type, uint value) =>
        BinaryPrimitives.WriteUInt32BigEndian(TakeAttribute(type, 4), value);

    public void PutUInt64(ushort type, ulong value) =>
        BinaryPrimitives.WriteUInt64BigEndian(TakeAttribute(type, 8), value);

    /// <summary>Writes a number in host byte order, as the flags of CTA_FILTER require.</summary>
    public void PutHostUInt32(ushort type, uint value) =>
        MemoryMarshal.Write(TakeAttribute(type, 4), in value);

    /// <summary>Writes text with a terminating NUL.</summary>
    public void PutText(ushort type, string value)
    {
        Span<byte> space = TakeAttribute(type, Encoding.UTF8.GetByteCount(value) + 1);
        Encoding.UTF8.GetBytes(value, space);
        space[^1] = 0;
    }

    private Span<byte> TakeAttribute(ushort type, int valueLength)
    {
        int length = NetlinkProtocol.AttributeHeaderSize + valueLength;
        Span<byte> space = Take(NetlinkProtocol.Align(length));
        space[^Math.Min(space.Length, 4)..].Clear();
        BitConverter.TryWriteBytes(space, (ushort)length);
        BitConverter.TryWriteBytes(space[2..], type);
        return space[NetlinkProtocol.AttributeHeaderSize..length];
    }

    private Span<byte> Take(int length)
    {
        Span<byte> space = _buffer.Slice(_length, length);
        _length += length;
        return space;
    }
}
