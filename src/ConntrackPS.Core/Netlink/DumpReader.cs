namespace ConntrackPS.Netlink;

/// <summary>Reads a dump, a datagram at a time.</summary>
/// <remarks>To stop early dispose the connection: the kernel drops the rest, which costs nothing.</remarks>
internal sealed class DumpReader(NetlinkConnection connection, uint sequence, string operation)
{
    private bool _finished;

    /// <summary>The kernel said that the table changed under the dump (NLM_F_DUMP_INTR).</summary>
    public bool Interrupted { get; private set; }

    /// <summary>Waits for the next datagram and hands over its data messages.</summary>
    /// <returns>False when the dump is complete.</returns>
    /// <exception cref="NetlinkException">The kernel refused, or gave up in the middle.</exception>
    /// <exception cref="NetlinkProtocolException">A message is malformed.</exception>
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
            Interrupted |= (message.Flags & MessageFlags.DumpInterrupted) != 0;
            if (message.Type is ControlMessage.Done or ControlMessage.Error)
            {
                _finished = true;
                NetlinkAnswer.Decode(message).ThrowIfError(operation);
            }
            else if (message.Type >= ControlMessage.FirstData)
            {
                onMessage(message);
            }
        }

        return true;
    }
}
