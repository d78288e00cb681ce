using System.Net;
using System.Net.Sockets;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>A namespace with NAT for loopback connections, and real packets in it.</summary>
public sealed class Traffic : IDisposable
{
    private readonly List<Socket> _sockets = [];

    public Traffic()
    {
        Namespace = new NetworkNamespaceFixture();
        foreach (string address in (string[])["192.0.2.1/32", "198.51.100.7/32", "203.0.113.5/32", "192.0.2.99/32"])
            Namespace.Exec("ip", "address", "add", address, "dev", "lo");
        foreach (string address in (string[])["2001:db8::1/128", "2001:db8::2/128"])
            Namespace.Exec("ip", "address", "add", address, "dev", "lo", "nodad");
        Namespace.SetConntrackSetting("nf_conntrack_acct", 1);
        Namespace.SetConntrackSetting("nf_conntrack_timestamp", 1);

        // On a busy machine the default of 30 seconds could expire before the last test.
        foreach (string protocol in (string[])["udp", "udp_timeout_stream", "icmp", "icmpv6"])
            Namespace.SetConntrackSetting($"nf_conntrack_{protocol}{(protocol.Contains('_') ? "" : "_timeout")}", 600);

        // One program for all rules: nft reads them as one transaction.
        Namespace.Exec("nft", """
                table ip translation {
                    chain output { type nat hook output priority -100; tcp dport 8080 dnat to 203.0.113.5:9090; }
                    chain postrouting { type nat hook postrouting priority 100; tcp dport 9090 snat to 192.0.2.99:45000; }
                }
                table inet marks {
                    chain output {
                        type filter hook output priority 0;
                        tcp dport 9090 ct mark set 0x12345678 ct label set 5;
                        tcp dport 9090 ct label set 127;
                    }
                }
                """);
    }

    public NetworkNamespaceFixture Namespace { get; }

    /// <summary>Creates a translated TCP connection and an IPv6 one, which both stay open, an exchange of UDP, and pings.</summary>
    public void Make() => Namespace.Namespace.Run(MakeTraffic);

    /// <summary>Closes the connections.</summary>
    public void Close()
    {
        _sockets.ForEach(socket => socket.Dispose());
        _sockets.Clear();
    }

    public void Dispose()
    {
        Close();
        Namespace.Dispose();
    }

    private bool MakeTraffic()
    {
        (Socket client, Socket server) = Connect("192.0.2.1", 40000, "203.0.113.5", 9090, "198.51.100.7", 8080);
        Exchange(client, server, 1000);
        Exchange(server, client, 500);
        Connect("2001:db8::1", 50000, "2001:db8::2", 443, "2001:db8::2", 443);
        Socket asking = Bind(SocketType.Dgram, "192.0.2.1", 5000), answering = Bind(SocketType.Dgram, "198.51.100.7", 53);
        asking.Connect(answering.LocalEndPoint!);
        answering.Connect(asking.LocalEndPoint!);
        Exchange(asking, answering, 33);
        Exchange(answering, asking, 100);
        Namespace.Exec("ping", "-q", "-c1", "-e", "4660", "-I", "192.0.2.1", "198.51.100.7");
        Namespace.Exec("ping", "-q", "-c1", "-e", "22136", "2001:db8::2");
        return true;
    }

    private (Socket Client, Socket Server) Connect(string from, int fromPort, string listenAt, int listenPort, string to, int toPort)
    {
        Socket listener = Bind(SocketType.Stream, listenAt, listenPort);
        listener.Listen();
        Socket client = Bind(SocketType.Stream, from, fromPort);
        client.Connect(IPAddress.Parse(to), toPort);
        Socket server = listener.Accept();
        _sockets.Add(server);
        return (client, server);
    }

    private Socket Bind(SocketType type, string address, int port)
    {
        IPEndPoint endPoint = new(IPAddress.Parse(address), port);
        Socket socket = new(endPoint.AddressFamily, type, type == SocketType.Stream ? ProtocolType.Tcp : ProtocolType.Udp);
        _sockets.Add(socket);
        socket.Bind(endPoint);
        return socket;
    }

    private static void Exchange(Socket from, Socket to, int length)
    {
        from.Send(new byte[length]);
        byte[] buffer = new byte[length];
        for (int received = 0; received < length;)
            received += to.Receive(buffer, received, length - received, SocketFlags.None);
    }
}
