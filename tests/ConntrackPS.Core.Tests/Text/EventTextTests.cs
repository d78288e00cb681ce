using ConntrackPS.Conntrack;
using ConntrackPS.Events;
using ConntrackPS.Text;

namespace ConntrackPS.Tests.Text;

public class EventTextTests
{
    [Theory]
    [InlineData("events")]
    [InlineData("events-ktimestamp")]
    [InlineData("events-xml")]
    public void Every_event_is_read(string sample)
    {
        ConntrackEventType[] expected = [.. TextSamples.Lines(sample)
            .Select(line => line.ToUpperInvariant())
            .Where(line => line.Contains("NEW") || line.Contains("UPDATE") || line.Contains("DESTROY"))
            .Select(line => line.Contains("NEW") ? ConntrackEventType.New : line.Contains("UPDATE") ? ConntrackEventType.Update : ConntrackEventType.Destroy)];

        List<ConntrackTextItem> items = TextSamples.Read(TextSamples.Lines(sample), isLive: true);

        Assert.Equal(expected.Length, items.Count);
        Assert.Equal(expected, items.Select(item => EventOf(item).EventType));
    }

    [Fact]
    public void Saved_events_are_commands()
    {
        List<ConntrackTextItem> items = TextSamples.Read(TextSamples.Lines("events-save"));

        Assert.Equal(
            TextSamples.Lines("events-save").Select(line => line[..2]),
            items.Select(item => (((ConntrackTextRecord)item).Value as ConntrackEvent)?.EventType switch
            {
                null or ConntrackEventType.New => "-A",
                ConntrackEventType.Update => "-U",
                _ => "-D",
            }));
        Assert.Contains(items, item => item is ConntrackTextRecord { Value: ConntrackEvent { PortId: > 0 } });
    }

    [Fact]
    public void An_event_has_its_time_and_who_caused_it()
    {
        ConntrackEvent record = ReadEvent(
            "[1795165504.495989]\t[DESTROY] ipv4     2 tcp      6 199 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1003 dport=80 packets=1 bytes=2 "
            + "[UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=80 dport=1003 packets=3 bytes=4 mark=6 delta-time=4 id=1481143080 [USERSPACE] portid=4047248282 progname=a b=c [d");

        Assert.Equal(ConntrackEventType.Destroy, record.EventType);
        Assert.Equal(DateTime.UnixEpoch.AddTicks(17951655044959890), record.EventTime!.Value.ToUniversalTime());
        Assert.Equal(DateTimeKind.Local, record.EventTime.Value.Kind);
        Assert.Equal(record.EventTime.Value.AddSeconds(-4), record.StartTime);
        Assert.Equal(4047248282u, record.PortId);
        Assert.Equal(ConntrackStatus.Confirmed | ConntrackStatus.Dying, record.Status);
        Assert.Equal("a b=c [d", record.Extra!["progname"]);
    }

    [Theory]
    [InlineData("[NEW] udp      17 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1", ConntrackEventType.New)]
    [InlineData("[1.000001]\t [UPDATE] udp      17 9 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 mark=7", ConntrackEventType.Update)]
    [InlineData("[DESTROY] tcp      6 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1", ConntrackEventType.Destroy)]
    public void Events_need_no_use_count(string line, ConntrackEventType expected)
    {
        ConntrackEvent record = ReadEvent(line);

        Assert.Equal(expected, record.EventType);
        Assert.Null(record.UseCount);
    }

    [Fact]
    public void XML_says_when_in_local_time()
    {
        ConntrackEvent record = EventOf(TextSamples.Read(TextSamples.Lines("events-xml"))[0]);
        string line = TextSamples.Lines("events-xml")[2];

        Assert.Equal(DateTimeKind.Local, record.EventTime!.Value.Kind);
        Assert.Contains($"<hour>{record.EventTime.Value.Hour}</hour><min>{record.EventTime.Value.Minute:00}</min>", line, StringComparison.Ordinal);
        Assert.Contains($"<day>{record.EventTime.Value.Day}</day><month>{record.EventTime.Value.Month}</month><year>2026</year>", line, StringComparison.Ordinal);
    }

    private static ConntrackEvent EventOf(ConntrackTextItem item) => Assert.IsType<ConntrackEvent>(Assert.IsType<ConntrackTextRecord>(item).Value);

    private static ConntrackEvent ReadEvent(string line) => EventOf(TextSamples.ReadOne(line));
}
