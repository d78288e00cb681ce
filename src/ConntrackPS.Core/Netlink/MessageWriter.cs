using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace ConntrackPS.Netlink;

/// <summary>Writes netlink messages into a buffer of the caller's; lengths are filled in when a message or nest ends.</summary>
internal ref struct MessageWriter(Span<byte> buffer)
{
    private readonly Span<byte> _buffer = buffer;
    private int _length;
    private int _messageStart;

    /// <summary>An open nest; give it back to <see cref="EndNest"/>.</summary>
    public readonly struct Nest(int start)
    {
        internal int Start { get; } = start;
    }

    /// <summary>All that has been written.</summary>
    public readonly ReadOnlySpan<byte> Written => _buffer[.._length];

    /// <summary>Starts a netfilter message; the sequence number is the connection's to fill in.</summary>
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

    /// <summary>Writes a number in host byte order, as CTA_FILTER's flags want it.</summary>
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
