using ConntrackPS.Events;
using ConntrackPS.Expectations.Wire;
using ConntrackPS.Netlink;

namespace ConntrackPS.Expectations.Events;

/// <summary>Makes an event of a message of the groups NFNLGRP_CONNTRACK_EXP_*.</summary>
internal static class ExpectationEventDecoder
{
    /// <returns>Null for a message that is no event of an expectation.</returns>
    /// <exception cref="NetlinkProtocolException">The message is malformed.</exception>
    public static ConntrackExpectationEvent? Decode(NetlinkMessage message)
    {
        ConntrackEventType? type = (ExpectationMessage)message.Type switch
        {
            ExpectationMessage.New => ConntrackEventType.New,
            ExpectationMessage.Delete => ConntrackEventType.Destroy,
            _ => null,
        };
        if (type is not { } known)
            return null;
        ConntrackExpectationEvent happened = new(known);
        ExpectationDecoder.Decode(message, happened);
        return happened;
    }
}
