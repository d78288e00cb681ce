using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace ConntrackPS.Netlink;

/// <summary>Reads a dump, one datagram at a time.</summary>
/// <remarks>To stop early, dispose the connection: the kernel drops the rest, which costs nothing.</remarks>
internal sealed class DumpReader(NetlinkConnection connection, uint sequence, string operation)
{
    private bool _finished;
    private bool _isInterrupted;

    /// <summary>Waits for the next datagram and passes its data messages to the handler.</summary>
    /// <returns>False when the dump is complete.</returns>
    /// <exception cref="NetlinkException">The kernel refused the request, or aborted the dump.</exception>
    /// <exception cref="NetlinkProtocolException">A message is malformed.</exception>
    /// <exception cref="IncompleteListingException">At the end: the kernel reported that the listed data changed during the dump
    /// (NLM_F_DUMP_INTR).</exception>
    public bool Read(MessageHandler onMessage)
    {
        if (_finished)
            return false;
        MessageReader messages = connection.Receive(sequence, operation);
        while (!_finished && messages.TryRead(out NetlinkMessage message))
        {
            // A leftover of an earlier, abandoned request.
            if (message.Sequence != sequence)
                continue;
            _isInterrupted |= (message.Flags & MessageFlags.DumpInterrupted) != 0;
            if (message.Type is ControlMessage.Done or ControlMessage.Error)
            {
                _finished = true;
                NetlinkAnswer.Decode(message).ThrowIfError(operation);
                if (_isInterrupted)
                    throw new IncompleteListingException(operation, 1);
            }
            else if (message.Type >= ControlMessage.FirstData)
            {
                onMessage(message);
            }
        }

        return true;
    }
}

/// <summary>Receives a dump on a separate thread, so that the kernel fills datagrams while the caller decodes earlier ones.</summary>
/// <remarks>The kernel needs about ten times as long to fill a datagram as we need to decode it, so a few buffers are enough.</remarks>
internal sealed class ReadAhead : IDisposable
{
    private const int BufferCount = 16;

    private readonly NetlinkSocket _socket;
    private readonly string _operation;
    private readonly TimeSpan _timeout;
    private readonly BlockingCollection<byte[]> _free = [];
    private readonly BlockingCollection<(byte[] Buffer, int Length)> _filled = [];
    private readonly Thread _thread;
    private byte[]? _taken;
    private ExceptionDispatchInfo? _failure;

    public ReadAhead(NetlinkSocket socket, string operation, TimeSpan timeout)
    {
        (_socket, _operation, _timeout) = (socket, operation, timeout);
        for (int i = 0; i < BufferCount; i++)
            _free.Add(GC.AllocateUninitializedArray<byte>(NetlinkProtocol.DatagramSize));
        _thread = new Thread(Receive) { IsBackground = true, Name = "ConntrackPS read-ahead" };
        _thread.Start();
    }

    /// <summary>Waits for the next datagram. It is valid until the next call.</summary>
    public ReadOnlySpan<byte> Next()
    {
        if (_taken is not null)
            _free.Add(_taken);
        _taken = null;
        if (!_filled.TryTake(out (byte[] Buffer, int Length) datagram, Timeout.Infinite))
            _failure!.Throw();
        _taken = datagram.Buffer;
        return datagram.Buffer.AsSpan(0, datagram.Length);
    }

    /// <summary>Ends the thread. The socket can't be used afterwards.</summary>
    public void Dispose()
    {
        _socket.Cancel();
        _free.CompleteAdding();
        _thread.Join();
        _free.Dispose();
        _filled.Dispose();
    }

    /// <summary>Runs until it is cancelled: after the last datagram of a dump it waits for one that never comes.</summary>
    private void Receive()
    {
        try
        {
            foreach (byte[] buffer in _free.GetConsumingEnumerable())
                _filled.Add((buffer, _socket.Receive(buffer, _operation, _timeout)));
        }
        catch (Exception exception)
        {
            // The thread that waits for the datagram rethrows it, if it is still waiting.
            _failure = ExceptionDispatchInfo.Capture(exception);
        }
        finally
        {
            _filled.CompleteAdding();
        }
    }
}
