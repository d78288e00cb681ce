using System.Globalization;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Netlink;

/// <summary>The port ids of our sockets, from /proc/net/netlink.</summary>
public sealed class PortIdsTests(NetworkNamespaceFixture ns) : IClassFixture<NetworkNamespaceFixture>
{
    [Fact]
    public void No_two_sockets_have_one_and_none_is_of_the_kernels_choice()
    {
        List<NetlinkSocket> sockets = [.. Enumerable.Range(0, 50).Select(_ => NetlinkSocket.Open(ns.Namespace))];
        try
        {
            // The kernel's own socket has 0. A socket that an earlier test has closed may stay for a moment if another test starts a
            // program: the new process has a copy of it until it calls exec.
            long[] bound = [];
            Assert.True(Wait.Until(() => (bound = [.. Bound().Where(id => id != 0)]).Length <= 50));
            Assert.Equal(sockets.Select(socket => (long)socket.PortId).Order(), bound.Order());
            Assert.Equal(50, bound.Distinct().Count());
            Assert.All(bound, id => Assert.InRange(id, 4 * 1024 * 1024 + 1, int.MaxValue));
        }
        finally
        {
            sockets.ForEach(socket => socket.Dispose());
        }

        Assert.All(sockets, socket => Assert.Equal(0u, socket.PortId));
    }

    [Fact]
    public void One_that_another_process_has_is_passed_over()
    {
        using NetlinkSocket other = NetlinkSocket.Open(ns.Namespace);
        Queue<uint> drawn = new([other.PortId, other.PortId, PortIds.First]);
        using NetlinkSocket socket = NetlinkSocket.Open(ns.Namespace, new PortIds(drawn.Dequeue));
        Assert.Equal(PortIds.First, socket.PortId);
        Assert.Contains((long)PortIds.First, Bound());
    }

    [Fact]
    public void None_free_is_an_error_and_no_endless_search()
    {
        using NetlinkSocket other = NetlinkSocket.Open(ns.Namespace);
        NetlinkException exception = Assert.Throws<NetlinkException>(() => NetlinkSocket.Open(ns.Namespace, new PortIds(() => other.PortId)));
        Assert.Equal(Errno.AddressInUse, exception.Errno);
        Assert.Contains("EADDRINUSE", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_is_no_other_sockets_before_it_is_given_back()
    {
        Queue<uint> drawn = new([7, 7, 7, 8, 7]);
        PortIds ids = new(drawn.Dequeue);
        Assert.Equal(7u, ids.Take());
        Assert.Equal(8u, ids.Take());
        ids.Return(7);
        Assert.Equal(7u, ids.Take());
    }

    /// <summary>The port ids of NETLINK_NETFILTER in the namespace.</summary>
    private IEnumerable<long> Bound() =>
        ns.Exec("cat", "/proc/net/netlink").Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(fields => fields[1] == "12")
            .Select(fields => (long)uint.Parse(fields[2], CultureInfo.InvariantCulture));
}
