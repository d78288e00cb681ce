using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>Entries that real packets created: with counters, times and window scales that no request can set.</summary>
public sealed class TrafficTests : IClassFixture<TrafficFixture>
{
    private readonly TrafficFixture _router;

    public TrafficTests(TrafficFixture router) => _router = router;

    [Fact]
    public void Counters_and_times_are_what_conntrack_shows_as_xml() =>
        FlowComparison.AssertSame(Flows(), ConntrackTool.ListXml(_router.Namespace), FlowView.AsXml, FlowComparison.ById);

    [Fact]
    public void Counters_and_times_are_what_conntrack_shows_as_text() =>
        FlowComparison.AssertSame(Flows(), ConntrackTool.ListText(_router.Namespace), FlowView.AsText, FlowComparison.ById);

    [Fact]
    public void Counters_and_times_are_what_proc_shows() =>
        FlowComparison.AssertSame(Flows(), ProcTable.List(_router.Namespace), FlowView.AsProc, FlowComparison.ByTuple);

    [Fact]
    public void A_translated_connection_has_both_ends_counters_scales_mark_and_labels()
    {
        ConntrackEntry entry = Assert.Single(_router.Namespace.Table.Read(new ConntrackFilter { DestinationNat = true }));
        Assert.Equal("192.0.2.1:40000", $"{entry.SourceAddress}:{entry.SourcePort}");
        Assert.Equal("198.51.100.7:8080", $"{entry.DestinationAddress}:{entry.DestinationPort}");
        Assert.Equal("203.0.113.5:9090", $"{entry.ReplySourceAddress}:{entry.ReplySourcePort}");
        Assert.Equal("192.0.2.99:45000", $"{entry.ReplyDestinationAddress}:{entry.ReplyDestinationPort}");
        Assert.Equal(ConntrackState.Established, entry.State);
        Assert.Equal(
            ConntrackStatus.SeenReply | ConntrackStatus.Assured | ConntrackStatus.Confirmed
            | ConntrackStatus.SrcNat | ConntrackStatus.DstNat | ConntrackStatus.SrcNatDone | ConntrackStatus.DstNatDone,
            entry.Status);

        // SYN, ACK, data and the acknowledgement of the answer. At least as many bytes as the data that was sent.
        Assert.InRange(entry.OriginalPackets!.Value, 3UL, 10UL);
        Assert.InRange(entry.OriginalBytes!.Value, 1000UL, 2000UL);
        Assert.InRange(entry.ReplyBytes!.Value, 500UL, 1500UL);
        Assert.Equal(entry.OriginalBytes + entry.ReplyBytes, entry.TotalBytes);
        Assert.Equal(entry.OriginalPackets + entry.ReplyPackets, entry.TotalPackets);
        Assert.InRange(entry.OriginalWindowScale!.Value, (byte)1, (byte)14);
        Assert.InRange(entry.ReplyWindowScale!.Value, (byte)1, (byte)14);
        Assert.True(entry.OriginalTcpFlags!.Value.HasFlag(TcpTrackingFlags.WindowScale | TcpTrackingFlags.SackPerm));
        Assert.Equal(0x12345678u, entry.Mark);
        Assert.Equal($"{LabelNames.System.ToName(5)},{LabelNames.System.ToName(127)}", entry.Labels);
        Assert.InRange(entry.StartTime!.Value, _router.Began, DateTime.Now);

        // Rounded to the millisecond.
        Assert.InRange(entry.Age!.Value, 0, (DateTime.Now - _router.Began).TotalSeconds + 0.001);
        Assert.Equal(DateTimeKind.Local, entry.StartTime.Value.Kind);
        Assert.Null(entry.StopTime);
        Assert.Null(entry.SynproxyIsn);
    }

    [Fact]
    public void A_ping_has_type_code_and_id_both_ways()
    {
        ConntrackEntry entry = Assert.Single(_router.Namespace.Table.Read(new ConntrackFilter { Protocol = [IPProtocol.Icmp] }));
        Assert.Equal((8, 0, 4660), ((int)entry.IcmpType!, (int)entry.IcmpCode!, (int)entry.IcmpId!));
        Assert.Equal((0, 0, 4660), ((int)entry.ReplyIcmpType!, (int)entry.ReplyIcmpCode!, (int)entry.ReplyIcmpId!));
        Assert.Null(entry.SourcePort);
        Assert.Equal(1UL, entry.OriginalPackets);
        Assert.Equal(1UL, entry.ReplyPackets);
    }

    private IEnumerable<FlowRecord> Flows() => _router.Namespace.Table.Read().Select(FlowView.Of);
}
