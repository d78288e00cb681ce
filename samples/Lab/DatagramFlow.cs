using System.Net;
using System.Net.Sockets;

namespace ConntrackPS.Lab;

/// <summary>
/// One request datagram and its answer, on a separate socket, and so with a separate source port or ICMP identifier. Pings use
/// the kernel's ping sockets, which write identifier and checksum for IPv4 and IPv6.
/// </summary>
internal static class DatagramFlow
{
    private const int Attempts = 40;
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(250);
    private static readonly byte[] UdpRequest = "hello"u8.ToArray();
    private static readonly byte[] EchoRequest = [8, 0, 0, 0, 0, 0, 0, 1, .. "hello"u8];
    private static readonly byte[] EchoRequestV6 = [128, 0, 0, 0, 0, 0, 0, 1, .. "hello"u8];

    public static Task<Socket> OpenUdpAsync(IPAddress target, CancellationToken stop) =>
        OpenAsync(new IPEndPoint(target, Ports.Udp), ProtocolType.Udp, UdpRequest, stop);

    public static Task<Socket> OpenPingAsync(IPAddress target, CancellationToken stop) =>
        target.AddressFamily == AddressFamily.InterNetworkV6
            ? OpenAsync(new IPEndPoint(target, 0), ProtocolType.IcmpV6, EchoRequestV6, stop)
            : OpenAsync(new IPEndPoint(target, 0), ProtocolType.Icmp, EchoRequest, stop);

    /// <exception cref="TimeoutException">The target did not answer.</exception>
    private static async Task<Socket> OpenAsync(IPEndPoint target, ProtocolType protocol, byte[] request, CancellationToken stop)
    {
        Socket socket = new(target.AddressFamily, SocketType.Dgram, protocol);
        try
        {
            await socket.ConnectAsync(target, stop);
            for (int attempt = 0; attempt < Attempts; attempt++)
            {
                if (await TryExchangeAsync(socket, request, stop))
                    return socket;
            }
            throw new TimeoutException($"{target.Address} did not answer over {protocol}.");
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Sends the request and waits briefly for the answer. The caller repeats it if the datagram is lost or the server is not up yet.</summary>
    private static async Task<bool> TryExchangeAsync(Socket socket, byte[] request, CancellationToken stop)
    {
        using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(stop);
        deadline.CancelAfter(RetryInterval);
        try
        {
            await socket.SendAsync(request, stop);
            await socket.ReceiveAsync(new byte[256], deadline.Token);
            return true;
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return false;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            await Task.Delay(RetryInterval, stop);
            return false;
        }
    }
}
