using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Expectations;

/// <summary>A client behind a NAT router with the kernel's ftp helper, and an FTP server: three network namespaces, with the part of RFC
/// 959 that announces a data connection.</summary>
internal sealed class FtpLab : IDisposable
{
    public const string Client = "10.77.1.2";
    public const string Server = "198.51.100.10";
    public const string Router = "198.51.100.1";

    private readonly NetworkNamespaceFixture _client = new();
    private readonly NetworkNamespaceFixture _server = new();
    private readonly List<Socket> _sockets = [];

    public FtpLab()
    {
        Connect(_client, "client", $"{Client}/24", "10.77.1.1/24");
        Connect(_server, "server", $"{Server}/24", $"{Router}/24");
        _client.Exec("ip", "route", "add", "default", "via", "10.77.1.1");
        Routing.Exec("sysctl", "-qw", "net.ipv4.ip_forward=1");
        Routing.Exec("nft", """
            table ip lab {
                ct helper reader { type "ftp" protocol tcp; }
                chain prerouting { type filter hook prerouting priority 0; tcp dport 21 ct helper set "reader"; }
                chain postrouting { type nat hook postrouting priority 100; oifname "server" masquerade; }
            }
            """);
        Listener = Listen(_server, Server, 21);
    }

    /// <summary>The router, whose table is tested.</summary>
    public NetworkNamespaceFixture Routing { get; } = new();

    private Socket Listener { get; }

    /// <summary>Opens a control connection.</summary>
    public (Socket Client, Socket Server) Control()
    {
        Socket client = Keep(_client.Namespace.Run(() => Open(null)));
        client.Connect(IPAddress.Parse(Server), 21);
        Socket server = Keep(Listener.Accept());
        Say(server, client, "220 ready");

        // The helper parses commands only after it has seen the end of a line.
        Say(client, server, "USER anonymous");
        return (client, server);
    }

    /// <summary>The client listens and announces it (PORT). The router translates the announcement.</summary>
    /// <returns>The client's listener, and the address that the server received.</returns>
    public (Socket Listener, IPEndPoint Announced) Port(Socket client, Socket server)
    {
        Socket listener = Listen(_client, Client, 0);
        int port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        string heard = Say(client, server, $"PORT {Client.Replace('.', ',')},{port >> 8},{port & 255}");
        int[] numbers = [.. heard.Trim()["PORT ".Length..].Split(',').Select(number => int.Parse(number, CultureInfo.InvariantCulture))];
        return (listener, new IPEndPoint(IPAddress.Parse(string.Join('.', numbers[..4])), (numbers[4] << 8) | numbers[5]));
    }

    /// <summary>The server connects back.</summary>
    public void ConnectBack(Socket listener, IPEndPoint announced)
    {
        Socket data = Keep(_server.Namespace.Run(() => Open(null)));
        data.Connect(announced);
        Keep(listener.Accept());
    }

    /// <summary>One end sends a line.</summary>
    /// <returns>The line that the other end received.</returns>
    public static string Say(Socket from, Socket to, string line)
    {
        from.Send(Encoding.ASCII.GetBytes(line + "\r\n"));
        byte[] buffer = new byte[1024];
        int length = 0;
        while (length == 0 || buffer[length - 1] != '\n')
            length += to.Receive(buffer, length, buffer.Length - length, SocketFlags.None);
        return Encoding.ASCII.GetString(buffer, 0, length);
    }

    public void Dispose()
    {
        _sockets.ForEach(socket => socket.Dispose());
        _client.Dispose();
        _server.Dispose();
        Routing.Dispose();
    }

    private void Connect(NetworkNamespaceFixture host, string link, string address, string routerAddress)
    {
        Shell.Run("ip", "-n", Routing.Name, "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", host.Name);
        foreach ((string name, string device, string given) in ((string, string, string)[])[(host.Name, "eth0", address), (Routing.Name, link, routerAddress)])
        {
            Shell.Run("ip", "-n", name, "address", "add", given, "dev", device);
            Shell.Run("ip", "-n", name, "link", "set", device, "up");
        }
    }

    private Socket Listen(NetworkNamespaceFixture host, string address, int port)
    {
        Socket socket = Keep(host.Namespace.Run(() => Open(new IPEndPoint(IPAddress.Parse(address), port))));
        socket.Listen();
        return socket;
    }

    private static Socket Open(IPEndPoint? endPoint)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        if (endPoint is not null)
            socket.Bind(endPoint);
        return socket;
    }

    private Socket Keep(Socket socket)
    {
        _sockets.Add(socket);
        return socket;
    }
}
