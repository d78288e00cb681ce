using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace ConntrackPS.Lab;

/// <summary>
/// The misbehaving client: tiny UDP packets that nobody answers, each a flow of its own by source and destination port,
/// so that each costs the router one entry.
/// </summary>
internal static class Flood
{
    /// <summary>Above the ports on which something may answer.</summary>
    private const int FirstPort = 10_000;

    private const int Sources = 16;

    public const int MaximumFlows = Sources * (ushort.MaxValue - FirstPort + 1);

    /// <summary>
    /// Packets that cross a veth pair leave no trace in the sender's buffer, so nothing pushes back: whatever exceeds the
    /// receiver's backlog (net.core.netdev_max_backlog, 1,000) is dropped unseen. A rest after each burst lets it drain.
    /// </summary>
    private const int Burst = 256;

    /// <summary>A flow's second packet adds no entry, unless the first was lost after all: this makes the count exact.</summary>
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
