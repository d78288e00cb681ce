using ConntrackPS.Linux;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Runs an action inside a namespace without CAP_NET_ADMIN.</summary>
/// <remarks>Capabilities belong to threads (capabilities(7)): the thread drops its own, and ends afterwards.</remarks>
internal static unsafe class Unprivileged
{
    private const uint Version3 = 0x20080522;

    public static T Run<T>(NetworkNamespace networkNamespace, Func<T> action) => networkNamespace.Run(() =>
    {
        DropAll();
        return action();
    });

    private static void DropAll()
    {
        // struct __user_cap_header_struct, and two of __user_cap_data_struct: all zeros mean no capability.
        uint* header = stackalloc uint[] { Version3, 0 };
        uint* data = stackalloc uint[6];
        new Span<uint>(data, 6).Clear();
        Assert.Equal(0, NativeMethods.SetCapabilities(header, data));
    }
}
