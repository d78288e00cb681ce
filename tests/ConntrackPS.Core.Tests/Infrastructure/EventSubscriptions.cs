using ConntrackPS.Events;
using ConntrackPS.Netlink;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Reads a subscription on the test's thread.</summary>
internal static class EventSubscriptions
{
    /// <summary>Reads everything that is available.</summary>
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
