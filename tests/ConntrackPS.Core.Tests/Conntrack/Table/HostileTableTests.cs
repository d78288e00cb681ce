using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Events;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Conntrack.Wire;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>The readers of the table and of events, with a kernel that sends wrong answers.</summary>
public sealed class HostileTableTests : IDisposable
{
    private readonly FakeKernel _kernel = new(TimeSpan.FromMilliseconds(50));

    public void Dispose() => _kernel.Dispose();

    [Fact]
    public void Entries_of_another_s_dump_are_not_taken()
    {
        _kernel.Answer(Entry(7), Entry(1), Messages.Done(7));
        _kernel.Answer(Entry(1), Messages.Done(1));
        using EntryReader reader = Read();
        Assert.Equal(2, reader.ReadBatch()!.Count + (reader.ReadBatch()?.Count ?? 0));
        Assert.Null(reader.ReadBatch());
    }

    [Fact]
    public void A_dump_that_stops_in_the_middle_is_an_error_and_no_short_table()
    {
        _kernel.Answer(Entry(1));
        using EntryReader reader = Read();
        Assert.Single(reader.ReadBatch()!);
        Assert.Equal(Errno.TimedOut, Assert.Throws<NetlinkException>(() => reader.ReadBatch()).Errno);
    }

    [Fact]
    public void A_broken_entry_is_an_error_and_no_entry_less()
    {
        byte[] broken = Entry(1);
        BitConverter.TryWriteBytes(broken.AsSpan(20), (ushort)3);
        _kernel.Answer(Entry(1));
        _kernel.Answer(Entry(1), broken, Messages.Done(1));
        using EntryReader reader = Read();
        Assert.Single(reader.ReadBatch()!);
        Assert.Throws<NetlinkProtocolException>(() => reader.ReadBatch());
    }

    [Fact]
    public void An_event_that_is_cut_off_is_an_error_and_what_is_no_event_is_passed_over()
    {
        byte[] happened = CapturedMessage.Get("event-tcp-ipv4-new").Bytes;
        _kernel.Answer(Messages.Acknowledgement(0), happened);
        _kernel.Answer(happened[..50]);
        EventSubscription subscription = new(_kernel.Socket);
        List<ConntrackEventType?> types = [];
        Assert.Throws<NetlinkProtocolException>(
            () => subscription.ReadAll(message => types.Add(EventDecoder.Decode(message)?.EventType)));
        Assert.Equal([null, ConntrackEventType.New], types);
    }

    [Fact]
    public void An_event_larger_than_the_buffer_is_an_error()
    {
        _kernel.Answer(Messages.Message(Messages.DataType, 0, MessageFlags.None, new byte[NetlinkProtocol.DatagramSize]));
        Assert.Throws<NetlinkProtocolException>(() => new EventSubscription(_kernel.Socket).ReadAll(_ => { }));
    }

    private static byte[] Entry(uint sequence)
    {
        byte[] entry = [.. CapturedMessage.Get("dump-udp-ipv4").Bytes];
        BitConverter.TryWriteBytes(entry.AsSpan(8), sequence);
        return entry;
    }

    private EntryReader Read() => new(null, FilterPlanner.Plan(new ConntrackFilter()), terms: new ScanTerms { ReadCount = _ => null, Open = _ => _kernel.Connection });
}
