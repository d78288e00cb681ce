using System.Net;
using System.Net.Sockets;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>A client and a server, each in its own network namespace, with a router between them that forwards real packets.</summary>
/// <remarks>The client has all addresses of 10.9.0.0/16 and 2001:db8:9::/48. The server has the addresses of <see cref="Server"/>.</remarks>
public sealed class RoutedNetwork : IDisposable
{
    private readonly NetworkNamespaceFixture _client = new();
    private readonly NetworkNamespaceFixture _server = new();
    private readonly List<Socket> _sockets = [];

    public RoutedNetwork()
    {
        Link(_client, 1);
        Link(_server, 2);
        foreach (string prefix in (string[])["10.9.0.0/16", "2001:db8:9::/48"])
        {
            _client.Exec("ip", "route", "add", "local", prefix, "dev", "lo");
            Router.Exec("ip", "route", "add", prefix, "via", Address(prefix.Contains(':') ? IPFamily.IPv6 : IPFamily.IPv4, 1, 1));
        }

        _client.Exec("sysctl", "-qw", "net.ipv6.ip_nonlocal_bind=1");
        foreach (IPFamily family in (IPFamily[])[IPFamily.IPv4, IPFamily.IPv6])
            AddAddress(_server, "link2", family, 2, 3);
        Router.Exec(
            "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0");

        // The kernels take a moment to find each other.
        foreach (IPFamily family in (IPFamily[])[IPFamily.IPv4, IPFamily.IPv6])
        {
            foreach (int number in (int[])[2, 3])
                Assert.True(Wait.Until(() => Record.Exception(() => _client.Exec("ping", "-q", "-c1", "-W1", "-I", Client(family, 0, 1), Server(family, number))) is null));
        }
    }

    /// <summary>The router.</summary>
    public NetworkNamespaceFixture Router { get; } = new();

    /// <summary>An address of the client.</summary>
    /// <param name="family">Its family.</param>
    /// <param name="network">The number of its /24 or /64.</param>
    /// <param name="host">The number of the host.</param>
    public static string Client(IPFamily family, int network, int host) =>
        family == IPFamily.IPv6 ? $"2001:db8:9:{network}::{host}" : $"10.9.{network}.{host}";

    /// <summary>One of the two addresses of the server: 2 or 3.</summary>
    public static string Server(IPFamily family, int number = 2) => Address(family, 2, number);

    /// <summary>The router's address on the client's side.</summary>
    public static string RouterAddress(IPFamily family) => Address(family, 1, 254);

    /// <summary>Listens on all addresses of the server, and accepts nobody: the kernel answers.</summary>
    public void Listen(int port) => Listen(_server, port);

    /// <summary>Listens on all addresses of the router.</summary>
    public void ListenAtRouter(int port) => Listen(Router, port);

    /// <summary>Takes no packets at a port of the server, and answers none.</summary>
    public void Ignore(int port) => _server.Exec(
        "nft", $"add table inet t; add chain inet t input {{ type filter hook input priority 0; }}; add rule inet t input th dport {port} drop");

    /// <summary>Connects from the client.</summary>
    /// <returns>The connected socket.</returns>
    public Connection Connect(string from, string to, int port) => Connect(_client, from, to, port);

    /// <summary>Connects from the router itself.</summary>
    public Connection ConnectFromRouter(string from, string to, int port) => Connect(Router, from, to, port);

    /// <summary>Starts to connect from the client, and does not wait.</summary>
    public Socket Start(string from, string to, int port)
    {
        Socket socket = Open(_client, SocketType.Stream, from, 0);
        socket.Blocking = false;
        try
        {
            socket.Connect(IPAddress.Parse(to), port);
        }
        catch (SocketException exception) when (exception.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
            // It goes on.
        }

        return socket;
    }

    /// <summary>A socket for datagrams from the client.</summary>
    public Socket Datagrams(string from, string to, int port, int fromPort = 0)
    {
        Socket socket = Open(_client, SocketType.Dgram, from, fromPort);
        socket.Connect(IPAddress.Parse(to), port);
        return socket;
    }

    /// <summary>Receives datagrams at a port of the server.</summary>
    public Socket Receiver(IPFamily family, int port, int number = 2)
    {
        Socket socket = Open(_server, SocketType.Dgram, Server(family, number), port);
        socket.ReceiveTimeout = 2000;
        return socket;
    }

    /// <summary>True if the next datagram arrives at the receiver soon.</summary>
    public static bool Arrives(Socket receiver, int milliseconds = 500)
    {
        if (!receiver.Poll(TimeSpan.FromMilliseconds(milliseconds), SelectMode.SelectRead))
            return false;
        receiver.Receive(new byte[64]);
        return true;
    }

    /// <summary>The number of entries in the router's table, according to the kernel.</summary>
    public int CountEntries() => int.Parse(Router.Exec("conntrack", "-C"), System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Closes all sockets, and empties the router's table and its nf_tables.</summary>
    public void Reset()
    {
        _sockets.ForEach(socket => socket.Dispose());
        _sockets.Clear();
        Router.Exec("nft", "flush", "ruleset");
        _server.Exec("nft", "flush", "ruleset");
        Router.Exec("conntrack", "-F");
    }

    public void Dispose()
    {
        _sockets.ForEach(socket => socket.Dispose());
        _client.Dispose();
        _server.Dispose();
        Router.Dispose();
    }

    private static string Address(IPFamily family, int network, int host) =>
        family == IPFamily.IPv6 ? $"2001:db8:{network}::{host}" : $"10.{network}.0.{host}";

    private void Link(NetworkNamespaceFixture end, int network)
    {
        string device = $"link{network}";
        foreach (NetworkNamespaceFixture side in (NetworkNamespaceFixture[])[Router, end])
            side.Exec("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0");
        Router.Exec("ip", "link", "add", device, "type", "veth", "peer", "name", device, "netns", end.Name);
        foreach (IPFamily family in (IPFamily[])[IPFamily.IPv4, IPFamily.IPv6])
        {
            AddAddress(Router, device, family, network, 254);
            AddAddress(end, device, family, network, network);
        }

        foreach (NetworkNamespaceFixture side in (NetworkNamespaceFixture[])[Router, end])
            side.Exec("ip", "link", "set", device, "up");
        end.Exec("ip", "route", "add", "default", "via", Address(IPFamily.IPv4, network, 254));
        end.Exec("ip", "-6", "route", "add", "default", "via", Address(IPFamily.IPv6, network, 254));
    }

    private static void AddAddress(NetworkNamespaceFixture place, string device, IPFamily family, int network, int host) => place.Exec(
        "ip", ["address", "add", Address(family, network, host) + (family == IPFamily.IPv6 ? "/64" : "/24"), "dev", device, .. family == IPFamily.IPv6 ? (string[])["nodad"] : []]);

    private void Listen(NetworkNamespaceFixture place, int port)
    {
        Socket listener = Open(place, SocketType.Stream, "::", port);
        listener.Listen(200);
    }

    private Connection Connect(NetworkNamespaceFixture place, string from, string to, int port)
    {
        Socket socket = Open(place, SocketType.Stream, from, 0);
        using CancellationTokenSource stop = new(TimeSpan.FromMilliseconds(600));
        try
        {
            socket.ConnectAsync(IPAddress.Parse(to), port, stop.Token).AsTask().GetAwaiter().GetResult();
            return new Connection(socket, SocketError.Success);
        }
        catch (SocketException exception)
        {
            return new Connection(null, exception.SocketErrorCode);
        }
        catch (OperationCanceledException)
        {
            // Otherwise the kernel would repeat the first packet.
            socket.Dispose();
            return new Connection(null, SocketError.TimedOut);
        }
    }

    private Socket Open(NetworkNamespaceFixture place, SocketType type, string address, int port)
    {
        IPEndPoint endPoint = new(IPAddress.Parse(address), port);
        Socket socket = place.Namespace.Run(() => new Socket(endPoint.AddressFamily, type, type == SocketType.Stream ? ProtocolType.Tcp : ProtocolType.Udp));
        _sockets.Add(socket);
        if (address == "::")
            socket.DualMode = true;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        socket.Bind(endPoint);
        return socket;
    }
}

/// <summary>What came of an attempt to connect: TimedOut if there was no answer.</summary>
public sealed record Connection(Socket? Socket, SocketError Error)
{
    public bool IsOpen => Error == SocketError.Success;

    /// <summary>Ends the connection by a reset, so that its entry goes to CLOSE at once.</summary>
    public void Abort()
    {
        Socket!.LingerState = new LingerOption(true, 0);
        Socket.Dispose();
    }
}
