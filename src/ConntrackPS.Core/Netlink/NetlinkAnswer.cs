using System.Runtime.InteropServices;
using ConntrackPS.Linux;

namespace ConntrackPS.Netlink;

/// <summary>The kernel's verdict on a request: NLMSG_ERROR, which with errno 0 is an acknowledgement, or NLMSG_DONE.</summary>
internal readonly record struct NetlinkAnswer(Errno Errno, string? KernelMessage, uint? AttributeOffset)
{
    /// <summary>Decodes an NLMSG_ERROR or NLMSG_DONE message.</summary>
    /// <remarks>struct nlmsgerr: errno (negative), then the request's header, and its payload unless NLM_F_CAPPED is
    /// set; then with NLM_F_ACK_TLVS the extended ACK. NLMSG_DONE has the errno and attributes alone.</remarks>
    public static NetlinkAnswer Decode(NetlinkMessage message)
    {
        ReadOnlySpan<byte> payload = message.Payload;
        if (payload.Length < sizeof(int))
        {
            return message.Type == ControlMessage.Done
                ? default
                : throw new NetlinkProtocolException("A netlink error message has no error number.");
        }

        Errno errno = (Errno)(-MemoryMarshal.Read<int>(payload));
        if (!message.Flags.HasFlag(MessageFlags.AckAttributes))
            return new NetlinkAnswer(errno, null, null);

        int skip = sizeof(int);
        if (message.Type == ControlMessage.Error)
        {
            if (payload.Length < sizeof(int) + NetlinkProtocol.HeaderSize)
                throw new NetlinkProtocolException("A netlink error message does not hold the request's header.");
            uint requestLength = message.Flags.HasFlag(MessageFlags.Capped)
                ? NetlinkProtocol.HeaderSize
                : MemoryMarshal.Read<uint>(payload[sizeof(int)..]);
            skip += (int)Math.Min(requestLength, (uint)payload.Length);
        }

        return DecodeAttributes(errno, new AttributeReader(payload[Math.Min(NetlinkProtocol.Align(skip), payload.Length)..]));
    }

    /// <summary>Throws unless the answer is an acknowledgement.</summary>
    /// <exception cref="NetlinkException">The kernel refused.</exception>
    public void ThrowIfError(string operation)
    {
        if (Errno != Errno.None)
            throw ToException(operation);
    }

    public NetlinkException ToException(string operation) => new(operation, Errno, KernelMessage, AttributeOffset);

    private static NetlinkAnswer DecodeAttributes(Errno errno, AttributeReader attributes)
    {
        string? text = null;
        uint? offset = null;
        while (attributes.Read())
        {
            if (attributes.Type == (ushort)ErrorAttribute.Msg)
                text = attributes.Text;
            else if (attributes.Type == (ushort)ErrorAttribute.Offs)
                offset = attributes.HostUInt32;
        }

        return new NetlinkAnswer(errno, text, offset);
    }
}
