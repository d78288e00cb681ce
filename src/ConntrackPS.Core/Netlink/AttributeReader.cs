using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace ConntrackPS.Netlink;

/// <summary>Walks the attributes of a message or of a nest (struct nlattr); never reads past their end.</summary>
internal ref struct AttributeReader(ReadOnlySpan<byte> attributes)
{
    /// <summary>What has not been read yet.</summary>
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
            throw Lie(length, rest.Length);
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

    /// <summary>A number in host byte order; netfilter sends nearly all others in network order.</summary>
    public readonly uint HostUInt32 => Value.Length >= 4 ? MemoryMarshal.Read<uint>(Value) : throw TooShort(Type, Value.Length, 4);

    /// <summary>Text up to its terminating NUL, or to the end without one.</summary>
    public readonly string Text
    {
        get
        {
            int end = Value.IndexOf((byte)0);
            return Encoding.UTF8.GetString(end < 0 ? Value : Value[..end]);
        }
    }

    // Static, so that a reader may live in registers: its address is never taken.
    private static NetlinkProtocolException TooShort(ushort type, int length, int needed) =>
        new($"Netlink attribute {type} has {length} bytes where {needed} are needed.");

    private static NetlinkProtocolException TooFew(int rest) =>
        new($"{rest} bytes are too few for a netlink attribute.");

    private static NetlinkProtocolException Lie(int length, int rest) =>
        new($"A netlink attribute claims {length} bytes where {rest} are left.");
}

/// <summary>struct nlattr as one number, for readers that look at length and type at once. Both are of 16 bits and in the
/// order of the machine: in a word of 32 bits the length is the lower half on most, and the upper one on s390x.</summary>
internal static class AttributeHeader
{
    /// <summary>The header's word as a machine reads it.</summary>
    /// <param name="length">nla_len: header and value, without padding.</param>
    /// <param name="type">nla_type, with its flags.</param>
    /// <param name="isLittleEndian">The machine's order; tests ask for the other.</param>
    public static uint Word(ushort length, ushort type, bool isLittleEndian) =>
        isLittleEndian ? (uint)type << 16 | length : (uint)length << 16 | type;

    /// <summary>The header's word on this machine; a constant once compiled.</summary>
    public static uint Word(ushort length, ushort type) => Word(length, type, BitConverter.IsLittleEndian);

    /// <summary>nla_len.</summary>
    public static ushort LengthOf(uint word, bool isLittleEndian) => (ushort)(isLittleEndian ? word : word >> 16);

    /// <summary>nla_type, with its flags.</summary>
    public static ushort TypeOf(uint word, bool isLittleEndian) => (ushort)(isLittleEndian ? word >> 16 : word);
}
