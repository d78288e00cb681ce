using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace ConntrackPS.Lab;

/// <summary>
/// The misbehaving client. It sends small UDP packets that no host answers. Each has its own source and destination port, so
/// each creates one entry on the router.
/// </summary>
internal static class Flood
{
    /// <summary>The first port, above those on which a server can answer.</summary>
    private const int FirstPort = 10_000;

    private const int Sources = 16;

    public const int MaximumFlows = Sources * (ushort.MaxValue - FirstPort + 1);

    /// <summary>
    /// A veth pair has no flow control. Packets beyond the receiver's backlog (net.core.netdev_max_backlog, 1,000) are dropped
    /// without an error. The pause after each burst lets the backlog drain.
    /// </summary>
    private const int Burst = 256;

    /// <summary>Each flow sends two packets. The second creates no entry unless the first was lost. So the count is exact.</summary>
    private const int Rounds = 2;

    private static readonly byte[] Packet = [0];

    public static Task RunAsync(IPAddress target, int flows, CancellationToken stop)
    {
        long start = Stopwatch.GetTimestamp();
        List<Socket> sources = [];
        try
        {
            for (int i = 0; i < Sources; i++)
                sources.Add(new Socket(target.AddressFamily, SocketType.Dgram, ProtocolType.Udp));
            for (int round = 0; round < Rounds; round++)
                Send(sources, target, flows, stop);
        }
        finally
        {
            sources.ForEach(source => source.Dispose());
        }
        Console.WriteLine($"{flows} flows sent in {Stopwatch.GetElapsedTime(start).TotalSeconds:0.00} s");
        return Task.CompletedTask;
    }

    private static void Send(List<Socket> sources, IPAddress target, int flows, CancellationToken stop)
    {
        SocketAddress destination = new IPEndPoint(target, FirstPort).Serialize();
        for (int flow = 0; flow < flows; flow++)
        {
            // The port is at the same place in sockaddr_in and sockaddr_in6; writing it there costs no allocation.
            int port = FirstPort + flow / Sources;
            BinaryPrimitives.WriteUInt16BigEndian(destination.Buffer.Span[2..], (ushort)port);
            SendOne(sources[flow % Sources], destination);
            if (flow % Burst == Burst - 1)
            {
                stop.ThrowIfCancellationRequested();
                Thread.Sleep(1);
            }
        }
    }

    private static void SendOne(Socket source, SocketAddress destination)
    {
        while (true)
        {
            try
            {
                source.SendTo(Packet, SocketFlags.None, destination);
                return;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.NoBufferSpaceAvailable or SocketError.WouldBlock)
            {
                Thread.Sleep(1);
            }
        }
    }
}
