using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Events;
using ConntrackPS.Linux;

namespace ConntrackPS.Samples;

/// <summary>Watches events.</summary>
internal static class Watching
{
    /// <summary>Shows the start and end of TCP and UDP connections for some seconds. Losses are reported, and the table is read again.</summary>
    public static void Watch(NetworkNamespace? where, TimeSpan duration)
    {
        EventOptions options = new()
        {
            EventType = [ConntrackEventType.New, ConntrackEventType.Destroy],
            Filter = new ConntrackFilter { Protocol = [IPProtocol.Tcp, IPProtocol.Udp] },
            Resync = true,
        };
        using EventStream stream = new(options, where is null ? [] : [where]);
        Console.WriteLine("Watching.");
        for (DateTime end = DateTime.UtcNow + duration; DateTime.UtcNow < end;)
        {
            foreach (ConntrackEvent happened in stream.Take(TimeSpan.FromMilliseconds(200)))
            {
                Console.WriteLine(happened.EventType == ConntrackEventType.Lost
                    ? $"{happened.LostCount} events were lost"
                    : $"{happened.EventType} {happened.SourceAddress}:{happened.SourcePort} -> {happened.DestinationAddress}:{happened.DestinationPort}");
            }
        }
    }
}
