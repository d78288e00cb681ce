using System.Runtime.InteropServices;
using ConntrackPS.Linux;

namespace ConntrackPS.Netlink;

/// <summary>The kernel refused a netlink request.</summary>
public class NetlinkException : Exception
{
    /// <summary>Describes a refused request.</summary>
    /// <param name="operation">The operation, as a phrase that completes "could not ...".</param>
    /// <param name="errno">The error number from the kernel.</param>
    /// <param name="kernelMessage">The text of the extended ACK (NLMSGERR_ATTR_MSG), if the kernel sent one.</param>
    /// <param name="attributeOffset">The offset of the invalid attribute in the request, in bytes (NLMSGERR_ATTR_OFFS), if the kernel sent
    /// it.</param>
    public NetlinkException(string operation, Errno errno, string? kernelMessage = null, uint? attributeOffset = null)
        : base(Describe(operation, errno, kernelMessage))
    {
        Operation = operation;
        Errno = errno;
        KernelMessage = kernelMessage;
        AttributeOffset = attributeOffset;
    }

    /// <summary>The operation that failed.</summary>
    public string Operation { get; }

    /// <summary>The error number from the kernel.</summary>
    public Errno Errno { get; }

    /// <summary>The kernel's own error text, if it sent one.</summary>
    public string? KernelMessage { get; }

    /// <summary>The offset of the invalid attribute in the request, in bytes, if the kernel sent it.</summary>
    public uint? AttributeOffset { get; }

    private static string Describe(string operation, Errno errno, string? kernelMessage)
    {
        string answer = errno.ToKernelName();
        return kernelMessage is null
            ? $"The kernel could not {operation} ({answer})."
            : $"The kernel could not {operation}: {kernelMessage} ({answer}).";
    }
}

/// <summary>A listing was read to its end several times, and each time the listed data was rearranged during the read. Entries may be
/// missing from the result.</summary>
/// <remarks>Thrown at the end of a listing, after all entries that it showed. The hash table of connection tracking is rearranged when it
/// is resized (nf_conntrack_buckets). For its other lists the kernel sets NLM_F_DUMP_INTR. A caller that only shows entries may use the
/// result. A caller that draws conclusions from a missing entry must not.</remarks>
public class IncompleteListingException : Exception
{
    /// <summary>Describes a listing that was never complete.</summary>
    /// <param name="operation">The operation, as a phrase that completes "could not ...".</param>
    /// <param name="attempts">The number of attempts.</param>
    public IncompleteListingException(string operation, int attempts)
        : this($"The hash table was resized during every attempt to {operation} ({attempts} in all).", attempts, null)
    {
    }

    private protected IncompleteListingException(string message, int attempts, Exception? inner)
        : base(message, inner) => Attempts = attempts;

    /// <summary>The number of times the listing was started.</summary>
    public int Attempts { get; }
}

/// <summary>A netlink message is malformed: truncated, or with a malformed length.</summary>
/// <param name="message">The problem.</param>
public sealed class NetlinkProtocolException(string message) : Exception(message);

/// <summary>The kernel's answer to a request: NLMSG_ERROR, which is an acknowledgement if its errno is 0, or NLMSG_DONE.</summary>
internal readonly record struct NetlinkAnswer(Errno Errno, string? KernelMessage, uint? AttributeOffset)
{
    /// <summary>Decodes an NLMSG_ERROR or NLMSG_DONE message.</summary>
    /// <remarks>struct nlmsgerr: errno (negative), the header of the request, its payload unless NLM_F_CAPPED is set, and with
    /// NLM_F_ACK_TLVS the extended ACK. NLMSG_DONE has only the errno and the attributes.</remarks>
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
    /// <exception cref="NetlinkException">The kernel refused the request.</exception>
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
