using System.Net;
using System.Net.Sockets;

namespace ConntrackPS.Lab;

/// <summary>Answers every TCP connection and every UDP datagram, over IPv4 and IPv6, with a few bytes.</summary>
internal static class Server
{
    private static readonly byte[] Answer = "hello from the lab\n"u8.ToArray();

    public static async Task RunAsync(CancellationToken stop)
    {
        using Socket listener = Bind(SocketType.Stream, ProtocolType.Tcp, Ports.Tcp);
        using Socket datagrams = Bind(SocketType.Dgram, ProtocolType.Udp, Ports.Udp);
        listener.Listen(backlog: 1024);
        Console.WriteLine($"serving TCP {Ports.Tcp} and UDP {Ports.Udp}");
        await await Task.WhenAny(AcceptAsync(listener, stop), AnswerDatagramsAsync(datagrams, stop));
    }

    private static Socket Bind(SocketType type, ProtocolType protocol, int port)
    {
        Socket socket = new(AddressFamily.InterNetworkV6, type, protocol) { DualMode = true };
        socket.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
        return socket;
    }

    private static async Task AcceptAsync(Socket listener, CancellationToken stop)
    {
        while (true)
            _ = AnswerConnectionAsync(await listener.AcceptAsync(stop), stop);
    }

    /// <summary>Answers requests until the client closes the connection, so that the client decides how long it is open.</summary>
    private static async Task AnswerConnectionAsync(Socket connection, CancellationToken stop)
    {
        using Socket _ = connection;
        byte[] request = new byte[256];
        try
        {
            while (await connection.ReceiveAsync(request, stop) > 0)
                await connection.SendAsync(Answer, stop);
        }
        catch (SocketException)
        {
            // The client closed the connection without a shutdown. That is no error here.
        }
    }

    private static async Task AnswerDatagramsAsync(Socket socket, CancellationToken stop)
    {
        byte[] request = new byte[256];
        IPEndPoint anyone = new(IPAddress.IPv6Any, 0);
        while (true)
        {
            SocketReceiveFromResult received = await socket.ReceiveFromAsync(request, anyone, stop);
            await socket.SendToAsync(Answer, received.RemoteEndPoint, stop);
        }
    }
}
