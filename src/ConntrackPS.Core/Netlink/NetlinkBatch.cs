using ConntrackPS.Linux;

namespace ConntrackPS.Netlink;

/// <summary>Takes the kernel's refusal of one message of a batch.</summary>
/// <param name="index">The message's place in the batch, from 0.</param>
/// <param name="answer">What the kernel said.</param>
internal delegate void BatchErrorHandler(int index, NetlinkAnswer answer);

/// <summary>Takes what the kernel answered to one message of a batch that asked for something.</summary>
/// <param name="index">The message's place in the batch, from 0.</param>
/// <param name="answer">The answer, in the receive buffer.</param>
internal delegate void BatchDataHandler(int index, NetlinkMessage answer);

/// <summary>Many requests in one send. Only refusals and what was asked for come back, and an acknowledgement of the last
/// request: without privilege the kernel refuses the first one and drops the others without an answer.</summary>
/// <remarks>The kernel handles a datagram within the send call, so that afterwards every answer waits in the receive
/// buffer. A batch never holds more messages than that buffer has room for answers.</remarks>
internal sealed class NetlinkBatch
{
    /// <summary>No message this library writes is longer, in bytes.</summary>
    public const int MaximumMessageSize = 2048;

    private const int SendBytes = 256 * 1024;
    private const int ReceiveBytes = 8 * 1024 * 1024;

    /// <summary>What one refusal may take of the receive buffer, in bytes: 832 seen, with its extended ACK.</summary>
    public const int RefusalCost = 1280;

    /// <summary>What an entry that was asked for may take of the receive buffer, in bytes: the kernel sets out with a page,
    /// and gives back what it didn't need where that is worth it.</summary>
    public const int EntryCost = 5120;

    private readonly NetlinkConnection _connection;
    private readonly NetlinkSocket _socket;
    private readonly string _operation;
    private readonly byte[] _buffer = new byte[SendBytes / 2];
    private readonly int _capacity;
    private int _length;
    private int _answeredStart;
    private int _answeredIndex;
    private uint _firstSequence;

    public NetlinkBatch(NetlinkConnection connection, NetlinkSocket socket, string operation, int answerCost = RefusalCost)
    {
        (_connection, _socket, _operation) = (connection, socket, operation);
        socket.RequestBuffers(ReceiveBytes, SendBytes);
        _capacity = Math.Max(1, socket.ReceiveBufferSize / answerCost);
    }

    /// <summary>Messages waiting to be sent.</summary>
    public int Count { get; private set; }

    /// <summary>True when another message, and the end of a transaction after it, may not fit: send first.</summary>
    public bool IsFull => Count >= _capacity || _buffer.Length - _length < 2 * MaximumMessageSize;

    /// <summary>Where the next message goes; <see cref="Add"/> takes it up.</summary>
    public Span<byte> NextMessage => _buffer.AsSpan(_length, MaximumMessageSize);

    /// <summary>Takes up the message of this length that was written to <see cref="NextMessage"/>.</summary>
    /// <param name="length">In bytes.</param>
    /// <param name="isAnswered">False for a message that kernels don't acknowledge, as the end of a transaction.</param>
    public void Add(int length, bool isAnswered = true)
    {
        uint sequence = _connection.NextSequence();
        if (Count == 0)
            _firstSequence = sequence;
        BitConverter.TryWriteBytes(_buffer.AsSpan(_length + 8), sequence);
        if (isAnswered)
            (_answeredStart, _answeredIndex) = (_length, Count);
        _length += length;
        Count++;
    }

    /// <summary>Sends what waits, and reports each message that the kernel refused, and each answer to one that asked.</summary>
    /// <exception cref="NetlinkException">The kernel did not take the batch at all; nothing that was reported counts.</exception>
    public void Send(BatchErrorHandler onError, BatchDataHandler? onData = null)
    {
        if (Count == 0)
            return;
        try
        {
            Span<byte> flags = _buffer.AsSpan(_answeredStart + 6);
            BitConverter.TryWriteBytes(flags, (ushort)(BitConverter.ToUInt16(flags) | (ushort)MessageFlags.Ack));
            _socket.Send(_buffer.AsSpan(0, _length), _operation);
            ReadAnswers(onError, onData);
        }
        finally
        {
            (_length, Count) = (0, 0);
        }
    }

    private void ReadAnswers(BatchErrorHandler onError, BatchDataHandler? onData)
    {
        NetlinkAnswer? first = null;
        bool received, isWhole = false;
        do
        {
            MessageReader messages = _connection.ReceiveAvailable(_operation, out received);
            while (messages.TryRead(out NetlinkMessage message))
            {
                uint index = message.Sequence - _firstSequence;
                if (index >= (uint)Count)
                    continue;
                if (message.Type >= ControlMessage.FirstData)
                    onData?.Invoke((int)index, message);
                if (message.Type != ControlMessage.Error)
                    continue;
                NetlinkAnswer answer = NetlinkAnswer.Decode(message);
                isWhole |= index == (uint)_answeredIndex;
                if (answer.Errno == Errno.None)
                    continue;
                first ??= answer;
                onError((int)index, answer);
            }
        }
        while (received);

        if (!isWhole)
            throw first?.ToException(_operation) ?? (Exception)new NetlinkProtocolException("The kernel did not answer a batch.");
    }
}
