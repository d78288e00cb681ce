using System.Runtime.InteropServices;
using ConntrackPS.Linux;

namespace ConntrackPS.Netlink;

/// <summary>The kernel refused a netlink request.</summary>
public class NetlinkException : Exception
{
    /// <summary>Describes a refusal.</summary>
    /// <param name="operation">What was asked, as a phrase that completes "could not ...".</param>
    /// <param name="errno">The kernel's answer.</param>
    /// <param name="kernelMessage">The extended ACK's text (NLMSGERR_ATTR_MSG), where the kernel gave one.</param>
    /// <param name="attributeOffset">The offset, in bytes, of the attribute at fault in the request (NLMSGERR_ATTR_OFFS).</param>
    public NetlinkException(string operation, Errno errno, string? kernelMessage = null, uint? attributeOffset = null)
        : base(Describe(operation, errno, kernelMessage))
    {
        Operation = operation;
        Errno = errno;
        KernelMessage = kernelMessage;
        AttributeOffset = attributeOffset;
    }

    /// <summary>What was asked of the kernel.</summary>
    public string Operation { get; }

    /// <summary>The kernel's answer.</summary>
    public Errno Errno { get; }

    /// <summary>The kernel's own words, where it gave any.</summary>
    public string? KernelMessage { get; }

    /// <summary>The offset, in bytes, of the attribute at fault in the request, where the kernel told.</summary>
    public uint? AttributeOffset { get; }

    private static string Describe(string operation, Errno errno, string? kernelMessage)
    {
        string answer = errno.ToKernelName();
        return kernelMessage is null
            ? $"The kernel could not {operation} ({answer})."
            : $"The kernel could not {operation}: {kernelMessage} ({answer}).";
    }
}

/// <summary>A listing of the kernel's was read to its end, again and again, and each time what it lists was rearranged
/// under it: entries may be missing from what came.</summary>
/// <remarks>Thrown at the end of a listing, after all that it did show. The hash table of connection tracking is rearranged
/// when it is resized (nf_conntrack_buckets); the kernel tells of its other lists by NLM_F_DUMP_INTR. A caller that only
/// wants to know what is there may go on with what came; one that concludes from what did not come must not.</remarks>
public class IncompleteListingException : Exception
{
    /// <summary>Tells of a listing that was never whole.</summary>
    /// <param name="operation">What was asked, as a phrase that completes "could not ...".</param>
    /// <param name="attempts">How often it was asked for.</param>
    public IncompleteListingException(string operation, int attempts)
        : this($"The hash table was resized during every attempt to {operation} ({attempts} in all).", attempts, null)
    {
    }

    private protected IncompleteListingException(string message, int attempts, Exception? inner)
        : base(message, inner) => Attempts = attempts;

    /// <summary>How often the listing was begun.</summary>
    public int Attempts { get; }
}

/// <summary>A netlink message is malformed: truncated, or with a malformed length.</summary>
/// <param name="message">What is wrong with it.</param>
public sealed class NetlinkProtocolException(string message) : Exception(message);

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
