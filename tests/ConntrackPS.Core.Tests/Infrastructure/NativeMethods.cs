using System.Runtime.InteropServices;
using ConntrackPS.Linux;
using Microsoft.Win32.SafeHandles;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>The libc calls that only tests make, raw.</summary>
internal static unsafe partial class NativeMethods
{
    public const int AF_UNIX = 1;
    public const int SOCK_DGRAM = 2;

    [LibraryImport("libc", EntryPoint = "socketpair", SetLastError = true)]
    public static partial int SocketPair(int domain, int type, int protocol, int* ends);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    public static partial nint Receive(SafeFileHandle socket, byte* buffer, nuint length, int flags);

    [LibraryImport("libc", EntryPoint = "sendto", SetLastError = true)]
    public static partial nint SendTo(
        SafeFileHandle socket, byte* buffer, nuint length, int flags, SocketAddressNetlink* address, uint addressLength);

    [LibraryImport("libc", EntryPoint = "capset", SetLastError = true)]
    public static partial int SetCapabilities(uint* header, uint* data);
}
