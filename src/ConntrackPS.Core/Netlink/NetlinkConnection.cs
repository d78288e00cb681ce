using ConntrackPS.Linux;

namespace ConntrackPS.Netlink;

/// <summary>Takes one message of an answer.</summary>
internal delegate void MessageHandler(NetlinkMessage message);

/// <summary>Requests and their answers over one socket. Used by one thread at a time.</summary>
internal sealed class NetlinkConnection : IDisposable
{
    /// <summary>How long the kernel may take for the next part of an answer; it usually has it when send returns.</summary>
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

    /// <summary>The socket's port id, by which the kernel knows what belongs to it.</summary>
    public uint PortId => _socket.PortId;

    /// <summary>Sends one request and waits until the kernel acknowledges or refuses it.</summary>
    /// <param name="message">The request; its flags must hold NLM_F_ACK. Its sequence number is filled in.</param>
    /// <param name="operation">What is asked, as a phrase that completes "could not ...".</param>
    /// <param name="onData">Takes the messages that come before the acknowledgement.</param>
    /// <exception cref="NetlinkException">The kernel refused.</exception>
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

    /// <summary>Sends one request for something that may not be there.</summary>
    /// <returns>False where the kernel has none (ENOENT).</returns>
    /// <exception cref="NetlinkException">The kernel refused for another reason.</exception>
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

    /// <summary>Starts a dump. The connection can do nothing else until it is read to its end.</summary>
    /// <param name="message">The request; its flags must hold NLM_F_DUMP and NLM_F_ACK.</param>
    /// <param name="operation">What is asked, as a phrase that completes "could not ...".</param>
    /// <param name="readAhead">Whether the dump is received on a thread of its own, which leaves this one for the rest.
    /// The connection is of no other use then.</param>
    public DumpReader Dump(Span<byte> message, string operation, bool readAhead = false)
    {
        DumpReader reader = new(this, Send(message, operation), operation);
        if (readAhead)
            _ahead = new ReadAhead(_socket, operation, Timeout);
        return reader;
    }

    /// <summary>Reads a dump to its end, and again where the kernel says that what it listed changed meanwhile.</summary>
    /// <param name="message">The request; its flags must hold NLM_F_DUMP and NLM_F_ACK.</param>
    /// <param name="operation">What is asked, as a phrase that completes "could not ...".</param>
    /// <param name="onBegin">Forgets what an earlier reading handed over.</param>
    /// <param name="onData">Takes each message.</param>
    /// <exception cref="NetlinkException">The kernel refused.</exception>
    /// <exception cref="IncompleteListingException">It changed each time.</exception>
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
    /// <param name="operation">What is asked, as a phrase that completes "could not ...".</param>
    /// <param name="answerCost">What one answer may take of the receive buffer, in bytes.</param>
    public NetlinkBatch CreateBatch(string operation, int answerCost = NetlinkBatch.RefusalCost) => new(this, _socket, operation, answerCost);

    /// <summary>Ends any wait for the kernel, from any thread; the connection is of no use afterwards.</summary>
    public void Cancel() => _socket.Cancel();

    public void Dispose()
    {
        _ahead?.Dispose();
        _ahead = null;
        _socket.Dispose();
    }

    internal uint NextSequence() => ++_sequence;

    /// <summary>Waits for the next datagram with a message of this sequence number. What is left of other requests is
    /// passed over, and does not renew the time that the kernel has.</summary>
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

    /// <summary>The messages of the next datagram that is there already, or none.</summary>
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
