using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace ConntrackPS.Netlink;

/// <summary>Walks the attributes of a message or of a nest (struct nlattr); never reads past their end.</summary>
internal ref struct AttributeReader(ReadOnlySpan<byte> attributes)
{
    private ReadOnlySpan<byte> _rest = attributes;

    /// <summary>The attribute's type, without its flags.</summary>
    public ushort Type { get; private set; }

    /// <summary>The attribute's value, without padding.</summary>
    public ReadOnlySpan<byte> Value { get; private set; }

    /// <summary>Moves to the next attribute.</summary>
    /// <returns>False at the end.</returns>
    /// <exception cref="NetlinkProtocolException">The attribute is cut off, or its length lies.</exception>
    public bool Read()
    {
        if (_rest.IsEmpty)
            return false;
        if (_rest.Length < Wire.AttributeHeaderSize)
            throw new NetlinkProtocolException($"{_rest.Length} bytes are too few for a netlink attribute.");
        uint header = MemoryMarshal.Read<uint>(_rest);
        int length = (ushort)header;
        if (length < Wire.AttributeHeaderSize || length > _rest.Length)
            throw new NetlinkProtocolException($"A netlink attribute claims {length} bytes where {_rest.Length} are left.");
        Type = (ushort)(header >> 16 & Wire.AttributeTypeMask);
        Value = _rest[Wire.AttributeHeaderSize..length];
        _rest = _rest[Math.Min(Wire.Align(length), _rest.Length)..];
        return true;
    }

    /// <summary>A reader for the attributes inside this one.</summary>
    public readonly AttributeReader Nested => new(Value);

    public readonly byte Byte => Value.Length >= 1 ? Value[0] : throw TooShort(1);

    public readonly ushort UInt16 =>
        BinaryPrimitives.TryReadUInt16BigEndian(Value, out ushort value) ? value : throw TooShort(2);

    public readonly uint UInt32 =>
        BinaryPrimitives.TryReadUInt32BigEndian(Value, out uint value) ? value : throw TooShort(4);

    public readonly ulong UInt64 =>
        BinaryPrimitives.TryReadUInt64BigEndian(Value, out ulong value) ? value : throw TooShort(8);

    /// <summary>A number in host byte order; netfilter sends nearly all others in network order.</summary>
    public readonly uint HostUInt32 => Value.Length >= 4 ? MemoryMarshal.Read<uint>(Value) : throw TooShort(4);

    /// <summary>Text up to its terminating NUL, or to the end without one.</summary>
    public readonly string Text
    {
        get
        {
            int end = Value.IndexOf((byte)0);
            return Encoding.UTF8.GetString(end < 0 ? Value : Value[..end]);
        }
    }

    private readonly NetlinkProtocolException TooShort(int needed) =>
        new($"Netlink attribute {Type} has {Value.Length} bytes where {needed} are needed.");
}
