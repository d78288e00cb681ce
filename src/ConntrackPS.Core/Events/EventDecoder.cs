using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Netlink;

namespace ConntrackPS.Events;

/// <summary>Makes an event of a message of the groups NFNLGRP_CONNTRACK_*.</summary>
internal static class EventDecoder
{
    /// <returns>Null for a message that is no event of a connection.</returns>
    /// <exception cref="NetlinkProtocolException">The message is malformed.</exception>
    public static ConntrackEvent? Decode(NetlinkMessage message)
    {
        ConntrackEventType? type = (ConntrackMessage)message.Type switch
        {
            ConntrackMessage.New when message.Flags.HasFlag(MessageFlags.Create) => ConntrackEventType.New,
            ConntrackMessage.New => ConntrackEventType.Update,
            ConntrackMessage.Delete => ConntrackEventType.Destroy,
            _ => null,
        };
        if (type is not { } known)
            return null;
        ConntrackEvent result = new(known) { PortId = message.PortId == 0 ? null : message.PortId };
        EntryDecoder.Decode(message, result);
        if (!result.HasTime)
            result.SetEventTime(DateTime.UtcNow);
        return result;
    }
}
