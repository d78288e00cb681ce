using ConntrackPS.Linux;

namespace ConntrackPS.Netlink;

/// <summary>Handles one message of an answer.</summary>
internal delegate void MessageHandler(NetlinkMessage message);

/// <summary>Sends requests and receives their answers over one socket. Only one thread at a time may use it.</summary>
internal sealed class NetlinkConnection : IDisposable
{
    /// <summary>The maximum wait for the next part of an answer. The kernel usually has it when send returns.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(10);

    private const int MaximumAttempts = 6;

    private readonly NetlinkSocket _socket;
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(NetlinkProtocol.DatagramSize);
    private ReadAhead? _ahead;
    private uint _sequence;

    public NetlinkConnection(NetlinkSocket socket, TimeSpan? timeout = null)
    {
        _socket = socket;
        Timeout = timeout ?? DefaultTimeout;
    }

    /// <summary>Opens a connection in a network namespace.</summary>
    public static NetlinkConnection Open(NetworkNamespace? networkNamespace = null) =>
        new(NetlinkSocket.Open(networkNamespace));

    public TimeSpan Timeout { get; }

    /// <summary>The port id of the socket, by which the kernel identifies the owner of objects.</summary>
    public uint PortId => _socket.PortId;

    /// <summary>Sends one request and waits until the kernel acknowledges or refuses it.</summary>
    /// <param name="message">The request; its flags must hold NLM_F_ACK. Its sequence number is filled in.</param>
    /// <param name="operation">The operation, as a phrase that completes "could not ...".</param>
    /// <param name="onData">Handles the messages that come before the acknowledgement.</param>
    /// <exception cref="NetlinkException">The kernel refused the request.</exception>
    public void Request(Span<byte> message, string operation, MessageHandler? onData = null)
    {
        uint sequence = Send(message, operation);
        while (true)
        {
            MessageReader messages = Receive(sequence, operation);
            while (messages.TryRead(out NetlinkMessage answer))
            {
                if (answer.Sequence != sequence)
                    continue;
                if (answer.Type is ControlMessage.Error or ControlMessage.Done)
                {
                    NetlinkAnswer.Decode(answer).ThrowIfError(operation);
                    return;
                }

                if (answer.Type >= ControlMessage.FirstData)
                    onData?.Invoke(answer);
            }
        }
    }

    /// <summary>Sends one request for an object that may not exist.</summary>
    /// <returns>False if the object does not exist (ENOENT).</returns>
    /// <exception cref="NetlinkException">The kernel refused the request for another reason.</exception>
    public bool TryRequest(Span<byte> message, string operation, MessageHandler onData)
    {
        try
        {
            Request(message, operation, onData);
            return true;
        }
        catch (NetlinkException exception) when (exception.Errno == Errno.NotFound)
        {
            return false;
        }
    }

    /// <summary>Starts a dump. The connection can't be used for anything else until the dump is read to its end.</summary>
    /// <param name="message">The request; its flags must hold NLM_F_DUMP and NLM_F_ACK.</param>
    /// <param name="operation">The operation, as a phrase that completes "could not ...".</param>
    /// <param name="readAhead">True to receive the dump on a separate thread, in parallel with the caller's work. Then the connection can't
    /// be used for anything else.</param>
    public DumpReader Dump(Span<byte> message, string operation, bool readAhead = false)
    {
        DumpReader reader = new(this, Send(message, operation), operation);
        if (readAhead)
            _ahead = new ReadAhead(_socket, operation, Timeout);
        return reader;
    }

    /// <summary>Reads a dump to its end. Reads it again if the kernel reports that the listed data changed during the dump.</summary>
    /// <param name="message">The request; its flags must hold NLM_F_DUMP and NLM_F_ACK.</param>
    /// <param name="operation">The operation, as a phrase that completes "could not ...".</param>
    /// <param name="onBegin">Discards what an earlier attempt delivered.</param>
    /// <param name="onData">Handles each message.</param>
    /// <exception cref="NetlinkException">The kernel refused the request.</exception>
    /// <exception cref="IncompleteListingException">The data changed during each attempt.</exception>
    public void ReadDump(Span<byte> message, string operation, Action onBegin, MessageHandler onData)
    {
        for (int attempt = 1; ; attempt++)
        {
            onBegin();
            try
            {
                DumpReader dump = Dump(message, operation);
                while (dump.Read(onData))
                {
                }

                return;
            }
            catch (IncompleteListingException)
            {
                if (attempt == MaximumAttempts)
                    throw new IncompleteListingException(operation, attempt);
            }
        }
    }

    /// <summary>Starts a batch of requests that are sent together.</summary>
    /// <param name="operation">The operation, as a phrase that completes "could not ...".</param>
    /// <param name="answerCost">The space that one answer may need in the receive buffer, in bytes.</param>
    public NetlinkBatch CreateBatch(string operation, int answerCost = NetlinkBatch.RefusalCost) => new(this, _socket, operation, answerCost);

    /// <summary>Ends any wait for the kernel. May be called from any thread. The connection can't be used afterwards.</summary>
    public void Cancel() => _socket.Cancel();

    public void Dispose()
    {
        _ahead?.Dispose();
        _ahead = null;
        _socket.Dispose();
    }

    internal uint NextSequence() => ++_sequence;

    /// <summary>Waits for the next datagram with a message of this sequence number. Skips leftovers of other requests; they do not extend
    /// the timeout.</summary>
    internal MessageReader Receive(uint sequence, string operation)
    {
        long started = Environment.TickCount64;
        for (TimeSpan left = Timeout; ; left = Timeout - TimeSpan.FromMilliseconds(Environment.TickCount64 - started))
        {
            if (left < TimeSpan.Zero)
                throw NetlinkSocket.TookTooLong(operation, Timeout);
            ReadOnlySpan<byte> datagram = _ahead is null ? _buffer.AsSpan(0, _socket.Receive(_buffer, operation, left)) : _ahead.Next();
            if (Answers(sequence, new MessageReader(datagram)))
                return new MessageReader(datagram);
        }
    }

    /// <summary>The messages of the next datagram if one is already there, otherwise none.</summary>
    internal MessageReader ReceiveAvailable(string operation, out bool received)
    {
        int length = _socket.TryReceive(_buffer, operation);
        received = length > 0;
        return new MessageReader(_buffer.AsSpan(0, length));
    }

    private static bool Answers(uint sequence, MessageReader messages)
    {
        while (messages.TryRead(out NetlinkMessage message))
        {
            if (message.Sequence == sequence)
                return true;
        }

        return false;
    }

    private uint Send(Span<byte> message, string operation)
    {
        uint sequence = NextSequence();
        BitConverter.TryWriteBytes(message[8..], sequence);
        _socket.Send(message, operation);
        return sequence;
    }
}
