using System.Runtime.InteropServices;
using ConntrackPS.Linux;
using Microsoft.Win32.SafeHandles;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>The libc calls that only tests make. The library has no wrappers for them.</summary>
internal static unsafe partial class NativeMethods
{
    /// <summary>Sends to a netlink socket.</summary>
    public static int SendTo(SafeFileHandle socket, ReadOnlySpan<byte> bytes, uint portId)
    {
        SocketAddressNetlink address = new() { Family = (ushort)AF_NETLINK, PortId = portId };
        fixed (byte* buffer = bytes)
            return (int)sendto(Descriptor(socket), buffer, bytes.Length, 0, (sockaddr*)&address, sizeof(SocketAddressNetlink));
    }

    /// <summary>Binds a netlink socket to a port that the kernel chooses, and returns the port.</summary>
    public static uint BindToAny(SafeFileHandle socket)
    {
        SocketAddressNetlink address = new() { Family = (ushort)AF_NETLINK };
        socklen_t length = sizeof(SocketAddressNetlink);
        Assert.Equal(0, bind(Descriptor(socket), (sockaddr*)&address, length));
        Assert.Equal(0, getsockname(Descriptor(socket), (sockaddr*)&address, &length));
        return address.PortId;
    }

    private static int Descriptor(SafeFileHandle file) => (int)file.DangerousGetHandle();

    [LibraryImport("libc.so.6", EntryPoint = "capset", SetLastError = true)]
    public static partial int SetCapabilities(uint* header, uint* data);
}
