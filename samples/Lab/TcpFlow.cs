using System.Net;
using System.Net.Sockets;

namespace ConntrackPS.Lab;

/// <summary>A TCP connection with one request and its answer.</summary>
internal static class TcpFlow
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(50);
    private static readonly byte[] Request = "hello\n"u8.ToArray();

    /// <summary>Opens a connection. Waits for a server that does not listen yet.</summary>
    /// <exception cref="TimeoutException">The server did not answer.</exception>
    public static async Task<Socket> OpenAsync(IPEndPoint server, CancellationToken stop)
    {
        using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(stop);
        deadline.CancelAfter(Patience);
        try
        {
            while (true)
            {
                Socket socket = new(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
                try
                {
                    await socket.ConnectAsync(server, deadline.Token);
                    await socket.SendAsync(Request, deadline.Token);
                    await socket.ReceiveAsync(new byte[256], deadline.Token);
                    return socket;
                }
                catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
                {
                    socket.Dispose();
                    await Task.Delay(RetryInterval, deadline.Token);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            }
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw new TimeoutException($"{server} did not answer over TCP.");
        }
    }
}
