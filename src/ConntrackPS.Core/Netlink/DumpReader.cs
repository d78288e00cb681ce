namespace ConntrackPS.Netlink;

/// <summary>Reads a dump, a datagram at a time.</summary>
/// <remarks>To stop early dispose the connection: the kernel drops the rest, which costs nothing.</remarks>
internal sealed class DumpReader(NetlinkConnection connection, uint sequence, string operation)
{
    private bool _finished;
    private bool _isInterrupted;

    /// <summary>Waits for the next datagram and hands over its data messages.</summary>
    /// <returns>False when the dump is complete.</returns>
    /// <exception cref="NetlinkException">The kernel refused, or gave up in the middle.</exception>
    /// <exception cref="NetlinkProtocolException">A message is malformed.</exception>
    /// <exception cref="IncompleteListingException">At the end: the kernel said that what it listed changed meanwhile
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
