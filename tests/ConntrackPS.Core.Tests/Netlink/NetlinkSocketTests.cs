using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Tests.Netlink;

public sealed unsafe class NetlinkSocketTests(NetworkNamespaceFixture ns) : IClassFixture<NetworkNamespaceFixture>
{
    [Fact]
    public void Buffers_can_be_asked_for_past_the_system_s_limit()
    {
        using NetlinkSocket socket = NetlinkSocket.Open(ns.Namespace);
        socket.RequestBuffers(8 * 1024 * 1024, 256 * 1024);
        Assert.Equal(16 * 1024 * 1024, socket.ReceiveBufferSize);
    }

    [Fact]
    public void Nothing_to_receive_is_no_error()
    {
        using NetlinkSocket socket = NetlinkSocket.Open(ns.Namespace);
        Assert.Equal(0, socket.TryReceive(new byte[100], "test"));
    }

    /// <summary>Any process may send to a netlink socket, but only messages from the kernel count.</summary>
    [Fact]
    public void What_another_process_sends_is_not_taken_for_the_kernel_s()
    {
        using SafeFileHandle handle = Bind(out uint port);
        using NetlinkSocket socket = NetlinkSocket.FromHandle(handle);
        using SafeFileHandle stranger = Bind(out _);
        byte[] forged = Messages.Error(1, Errno.Busy);
        Assert.Equal(forged.Length, NativeMethods.SendTo(stranger, forged, port));

        // The message has arrived.
        Assert.Equal(1, LibC.WaitToRead(handle, 0));
        Assert.Equal(0, socket.TryReceive(new byte[100], "test"));
    }

    /// <summary>A refusal and an acknowledgement with the right sequence number arrive before the kernel's own answer.</summary>
    [Fact]
    public void What_another_process_answers_in_the_kernel_s_place_is_not_believed()
    {
        using SafeFileHandle handle = Bind(out uint port);
        using NetlinkConnection connection = new(NetlinkSocket.FromHandle(handle));
        using SafeFileHandle stranger = Bind(out _);
        byte[] forged = [.. Messages.Data(1, 7), .. Messages.Error(1, Errno.Busy), .. Messages.Acknowledgement(1)];
        Assert.Equal(forged.Length, NativeMethods.SendTo(stranger, forged, port));

        // IPCTNL_MSG_CT_GET_STATS, for an empty table.
        int answers = 0;
        connection.Request(Messages.Message(0x105, 0, MessageFlags.Request | MessageFlags.Ack, 0, 0, 0, 0), "count", message =>
        {
            answers++;
            Assert.Equal((ushort)0x105, message.Type);
        });
        Assert.Equal(1, answers);
    }

    [Fact]
    public void Errors_of_the_socket_itself_have_the_operation_and_errno()
    {
        using SafeFileHandle file = File.OpenHandle("/dev/null");
        using NetlinkSocket socket = NetlinkSocket.FromHandle(file);
        NetlinkException sending = Assert.Throws<NetlinkException>(() => socket.Send([1], "send it"));
        Assert.Equal(("send it", (Errno)88), (sending.Operation, sending.Errno));
        Assert.Equal((Errno)88, Assert.Throws<NetlinkException>(() => socket.TryReceive(new byte[1], "get it")).Errno);
    }

    private SafeFileHandle Bind(out uint port)
    {
        SafeFileHandle handle = ns.Namespace.Run(() => LibC.Socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NetlinkProtocol.NetfilterFamily));
        port = NativeMethods.BindToAny(handle);
        return handle;
    }
}
