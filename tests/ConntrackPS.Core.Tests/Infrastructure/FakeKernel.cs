using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>The kernel's end of a connection, controlled by a test: one half of a socket pair.</summary>
/// <remarks>A socket pair has no address, which looks like port 0, the kernel's. Answers can be sent before the request, because a
/// connection numbers its requests from 1.</remarks>
internal sealed unsafe class FakeKernel : IDisposable
{
    private readonly SafeFileHandle _end;

    public FakeKernel(TimeSpan? timeout = null)
    {
        int* ends = stackalloc int[2];
        Assert.Equal(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends));
        _end = new SafeFileHandle(ends[0], ownsHandle: true);
        Socket = NetlinkSocket.FromHandle(new SafeFileHandle(ends[1], ownsHandle: true));
        Connection = new NetlinkConnection(Socket, timeout);
    }

    /// <summary>The library's end.</summary>
    public NetlinkSocket Socket { get; }

    public NetlinkConnection Connection { get; }

    /// <summary>Sends one datagram with these messages.</summary>
    public void Answer(params byte[][] messages)
    {
        byte[] datagram = [.. messages.SelectMany(message => message)];
        Assert.Equal(datagram.Length, LibC.Send(_end, datagram));
    }

    /// <summary>One datagram from the library, or an empty array if there is none.</summary>
    public byte[] ReadRequest()
    {
        byte[] datagram = new byte[512 * 1024];
        return datagram[..Math.Max(0, LibC.ReceiveFrom(_end, datagram, MSG_DONTWAIT, out _))];
    }

    public void Dispose()
    {
        Connection.Dispose();
        _end.Dispose();
    }
}
