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
/// when it is resized (nf_conntrack_buckets); the kernel tells of its other lists by NLM_F_DUMP_INTR. Whoever only wants to
/// know what is there may go on with what came; whoever concludes from what did not come must not.</remarks>
public class IncompleteListingException : Exception
{
    /// <summary>Tells of a listing that was never whole.</summary>
    /// <param name="operation">What was asked, as a phrase that completes "could not ...".</param>
    /// <param name="attempts">How often it was asked for.</param>
    public IncompleteListingException(string operation, int attempts)
        : this($"The kernel was asked {attempts} times to {operation}, and rearranged its table each time before it was done.", attempts, null)
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
