using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Tests.Tuning;

namespace ConntrackPS.Tests.Diagnosis.Health;

/// <summary>Findings that appear only with packets during the check.</summary>
public sealed class TrafficHealthTests : IDisposable
{
    private readonly NetworkNamespaceFixture _ns = new();
    private readonly PersistenceFixture _files = new();

    public TrafficHealthTests() => _ns.Exec("iptables", "-A", "OUTPUT", "-m", "conntrack", "--ctstate", "INVALID");

    public void Dispose()
    {
        _ns.Dispose();
        _files.Dispose();
    }

    [Fact]
    public void Two_packets_that_begin_the_same_connection_are_found()
    {
        HealthFinding finding = FindUnder(stop => Clash(ProtocolType.Icmp, stop), "InsertFailed");
        Assert.Equal(FindingSeverity.Warning, finding.Severity);
        Assert.Matches("^Entries not inserted: [1-9]", finding.Evidence);
        Assert.Matches("insert_failed=[1-9]", _ns.Exec("conntrack", "-S"));
    }

    [Fact]
    public void Those_that_the_kernel_resolves_cost_nothing()
    {
        List<HealthFinding> findings = [];
        CheckUnder(stop => Clash(ProtocolType.Udp, stop), found =>
        {
            findings.AddRange(found);
            return Regex.IsMatch(_ns.Exec("conntrack", "-S"), "clash_resolve=[1-9]");
        });
        Assert.DoesNotContain(findings, finding => finding.Name is "InsertFailed" or "PacketsDropped");
        Assert.Equal(0UL, ConntrackStat.Read(_ns.Namespace).InsertFailed);
    }

    [Fact]
    public void Invalid_packets_are_found()
    {
        HealthFinding finding = FindUnder(SendInvalid, "InvalidPackets");
        Assert.Matches("^Invalid packets: [1-9]", finding.Evidence);
        Assert.Matches("invalid=[1-9]", _ns.Exec("conntrack", "-S"));
    }

    /// <summary>The finding with this name, from the first check that has it during the traffic.</summary>
    private HealthFinding FindUnder(Action<CancellationToken> traffic, string name)
    {
        HealthFinding? finding = null;
        CheckUnder(traffic, found => (finding = found.SingleOrDefault(one => one.Name == name)) is not null);
        return finding!;
    }

    /// <summary>Repeats the check during the traffic, because the traffic may need longer to start than one check takes.</summary>
    private void CheckUnder(Action<CancellationToken> traffic, Func<IReadOnlyList<HealthFinding>, bool> isEnough)
    {
        using CancellationTokenSource stop = new();
        Task sending = Task.Run(() => traffic(stop.Token));
        try
        {
            Assert.True(Wait.Until(() => isEnough(new HealthCheck(_ns.Namespace, _files.Root, TimeSpan.FromSeconds(1)).Run())));
        }
        finally
        {
            stop.Cancel();
            sending.GetAwaiter().GetResult();
        }
    }

    /// <summary>Two packets of each flow, sent at the same time. For UDP the kernel merges them into one connection; for ICMP it drops the
    /// second (nf_conntrack_l4proto.allow_clash).</summary>
    private void Clash(ProtocolType protocol, CancellationToken stop)
    {
        using PacketQueue queue = new(_ns);
        _ns.Exec("iptables", "-t", "mangle", "-A", "POSTROUTING", "-p", protocol.ToString(), "-j", "NFQUEUE", "--queue-num", "0");
        SocketType type = protocol == ProtocolType.Udp ? SocketType.Dgram : SocketType.Raw;
        using Socket socket = _ns.Namespace.Run(() => new Socket(AddressFamily.InterNetwork, type, protocol));
        for (int flow = 1; !stop.IsCancellationRequested; flow = flow % ushort.MaxValue + 1)
        {
            // For ICMP this is an echo request with the flow as its identifier. Without a checksum no host answers it.
            byte[] packet = [8, 0, 0, 0, (byte)(flow >> 8), (byte)flow, 0, 0];
            socket.SendTo(packet, new IPEndPoint(IPAddress.Loopback, flow));
            socket.SendTo(packet, new IPEndPoint(IPAddress.Loopback, flow));
            queue.Release(2);
        }
    }

    /// <summary>TCP segments without any flag, which no connection sends (nf_conntrack_proto_tcp.c, tcp_error).</summary>
    private void SendInvalid(CancellationToken stop)
    {
        using Socket socket = _ns.Namespace.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Tcp));
        byte[] segment = new byte[20];
        (segment[1], segment[3], segment[12]) = (99, 80, 5 << 4);
        while (!stop.WaitHandle.WaitOne(5))
            socket.SendTo(segment, new IPEndPoint(IPAddress.Loopback, 0));
    }
}
