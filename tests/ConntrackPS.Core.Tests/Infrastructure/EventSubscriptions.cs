using ConntrackPS.Events;
using ConntrackPS.Netlink;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Reads a subscription on the test's own thread.</summary>
internal static class EventSubscriptions
{
    /// <summary>Takes all that is there.</summary>
    public static void ReadAll(this EventSubscription subscription, MessageHandler onMessage)
    {
        while (subscription.TryReceive(out ReadOnlySpan<byte> datagram))
        {
            MessageReader messages = new(datagram);
            while (messages.TryRead(out NetlinkMessage message))
                onMessage(message);
        }
    }
}
