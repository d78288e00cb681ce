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
