using ConntrackPS.Linux;

namespace ConntrackPS.Netlink;

/// <summary>Handles the kernel's refusal of one message of a batch.</summary>
/// <param name="index">The index of the message in the batch, from 0.</param>
/// <param name="answer">The kernel's answer.</param>
internal delegate void BatchErrorHandler(int index, NetlinkAnswer answer);

/// <summary>Handles the kernel's answer to a message of a batch that requested data.</summary>
/// <param name="index">The index of the message in the batch, from 0.</param>
/// <param name="answer">The answer, in the receive buffer.</param>
internal delegate void BatchDataHandler(int index, NetlinkMessage answer);

/// <summary>Sends many requests in one call. The kernel returns only refusals, requested data, and an acknowledgement of the last request.
/// Without privilege the kernel refuses the first request and drops the others without an answer.</summary>
/// <remarks>The kernel handles a datagram within the send call, so afterwards every answer is in the receive buffer. A batch never holds
/// more messages than the receive buffer has room for answers.</remarks>
internal sealed class NetlinkBatch
{
    /// <summary>The maximum length of a message that this library writes, in bytes.</summary>
    public const int MaximumMessageSize = 2048;

    private const int SendBytes = 256 * 1024;
    private const int ReceiveBytes = 8 * 1024 * 1024;

    /// <summary>The space that one refusal may need in the receive buffer, in bytes. Measured: 832, with its extended ACK.</summary>
    public const int RefusalCost = 1280;

    /// <summary>The space that a requested entry may need in the receive buffer, in bytes. The kernel allocates a page, and trims it only
    /// where that saves enough.</summary>
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

    /// <summary>The number of messages waiting to be sent.</summary>
    public int Count { get; private set; }

    /// <summary>True if there may not be room for another message and the end of a transaction after it. Call Send first.</summary>
    public bool IsFull => Count >= _capacity || _buffer.Length - _length < 2 * MaximumMessageSize;

    /// <summary>The buffer for the next message. <see cref="Add"/> appends it to the batch.</summary>
    public Span<byte> NextMessage => _buffer.AsSpan(_length, MaximumMessageSize);

    /// <summary>Appends the message that was written to <see cref="NextMessage"/>.</summary>
    /// <param name="length">The length in bytes.</param>
    /// <param name="isAnswered">False for a message that kernels don't acknowledge, such as the end of a transaction.</param>
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

    /// <summary>Sends the waiting messages. Reports each message that the kernel refused, and each answer to a request for data.</summary>
    /// <exception cref="NetlinkException">The kernel did not accept the batch at all. Ignore anything reported before.</exception>
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
