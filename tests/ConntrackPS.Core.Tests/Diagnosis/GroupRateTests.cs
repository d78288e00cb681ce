using System.Net;
using System.Net.Sockets;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Diagnosis;

/// <summary>Rates between two passes.</summary>
public sealed class GroupRateTests : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private readonly NetworkNamespaceFixture _ns = new();

    public void Dispose() => _ns.Dispose();

    [Fact]
    public void New_and_ended_entries_are_told_apart()
    {
        TableFiller.Fill(_ns, 20);
        ConntrackGroup[] groups = ReadTwice("AddressFamily", null, () =>
        {
            // Even numbers are IPv4.
            TableFiller.Create(_ns, Enumerable.Range(100, 12).Where(i => i % 2 == 0).Select(TableFiller.Numbered));
            using EntryDeleter deleter = _ns.Table.CreateDeleter();
            for (int i = 0; i < 6; i += 2)
                deleter.Add(EntryKey.Of(TableFiller.Numbered(i)), i);
            deleter.Flush();
        });
        ConntrackGroup ipv4 = Assert.Single(groups, group => group.Name == "IPv4"), ipv6 = Assert.Single(groups, group => group.Name == "IPv6");
        Assert.Equal((13, 10), (ipv4.Count, ipv6.Count));
        Assert.InRange(ipv4.NewPerSecond!.Value, 0.01, 6 / Interval.TotalSeconds);
        Assert.Equal(ipv4.NewPerSecond!.Value / 2, ipv4.ClosedPerSecond!.Value, 0.02);
        Assert.Equal((0, 0), (ipv6.NewPerSecond, ipv6.ClosedPerSecond));
        Assert.Null(ipv4.BitsPerSecond);
    }

    [Fact]
    public void A_group_whose_entries_all_ended_is_told_too()
    {
        TableFiller.Fill(_ns, 4);
        ConntrackGroup[] groups = ReadTwice("AddressFamily", null, () => _ns.Table.Delete(new ConntrackFilter { AddressFamily = IPFamily.IPv6 }, _ => { }));
        ConntrackGroup ipv6 = Assert.Single(groups, group => group.Name == "IPv6");
        Assert.Equal(0, ipv6.Count);
        Assert.NotEqual(0, ipv6.ClosedPerSecond);
    }

    [Fact]
    public void Traffic_is_measured_by_its_packets()
    {
        _ns.SetConntrackSetting("nf_conntrack_acct", 1);
        _ns.TrackPackets();
        using Socket receiver = _ns.Namespace.Run(Bind), sender = _ns.Namespace.Run(Bind);
        sender.Connect(receiver.LocalEndPoint!);
        sender.Send(new byte[100]);
        ConntrackGroup[] groups = ReadTwice("Protocol", new ConntrackFilter { Protocol = [IPProtocol.Udp] }, () =>
        {
            for (int i = 0; i < 10; i++)
                sender.Send(new byte[972]);
        });
        ConntrackGroup udp = Assert.Single(groups);

        // 972 bytes of payload and 28 of headers make 8,000 bits.
        Assert.Equal(8000, udp.BitsPerSecond!.Value / udp.PacketsPerSecond!.Value, 50.0);
        Assert.InRange(udp.PacketsPerSecond!.Value, 0.01, 10 / Interval.TotalSeconds);
        Assert.Equal(11UL, udp.TotalPackets);
        Assert.Equal(10_128UL, udp.TotalBytes);
    }

    [Fact]
    public void Stopping_ends_the_waiting()
    {
        using CancellationTokenSource stop = new(TimeSpan.FromMilliseconds(300));
        GroupMeasurement measurement = new(new GroupOptions());
        Assert.Throws<OperationCanceledException>(() => measurement.ReadTwice(_ns.Table, TimeSpan.FromHours(1), stop: stop.Token));
    }

    private static Socket Bind()
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }

    /// <summary>Reads twice, and runs an action in between.</summary>
    private ConntrackGroup[] ReadTwice(string property, ConntrackFilter? filter, Action between)
    {
        GroupMeasurement measurement = new(new GroupOptions { GroupBy = [GroupProperties.Named(property)] });
        using Timer timer = new(_ => between(), null, Interval / 2, Timeout.InfiniteTimeSpan);
        measurement.ReadTwice(_ns.Table, Interval, filter);
        return [.. measurement.Groups()];
    }
}
