using System.Runtime.InteropServices;

namespace ConntrackPS.Netlink;

/// <summary>Walks the messages of one datagram.</summary>
internal ref struct MessageReader(ReadOnlySpan<byte> datagram)
{
    private ReadOnlySpan<byte> _rest = datagram;

    /// <summary>Takes the next message.</summary>
    /// <returns>False at the end of the datagram.</returns>
    /// <exception cref="NetlinkProtocolException">The header is cut off, or its length lies.</exception>
    public bool TryRead(out NetlinkMessage message)
    {
        message = default;
        if (_rest.IsEmpty)
            return false;
        if (_rest.Length < Wire.HeaderSize)
            throw new NetlinkProtocolException($"{_rest.Length} bytes are too few for a netlink header.");
        uint length = MemoryMarshal.Read<uint>(_rest);
        if (length < Wire.HeaderSize || length > (uint)_rest.Length)
            throw new NetlinkProtocolException($"A netlink message claims {length} bytes where {_rest.Length} are left.");
        message = new NetlinkMessage(_rest[..(int)length]);
        _rest = _rest[Math.Min(Wire.Align((int)length), _rest.Length)..];
        return true;
    }
}
