using System.Net;
using System.Net.Sockets;
using ConntrackPS.Alerts;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Alerts;

/// <summary>Alerts about tables of the kernel.</summary>
public sealed class AlertWatcherTests : IDisposable
{
    private readonly NetworkNamespaceFixture _ns = new();

    public void Dispose() => _ns.Dispose();

    [Fact]
    public void The_first_reading_already_raises_alerts()
    {
        Insert(1);
        using AlertWatcher watcher = Watch(new AlertOptions { FillAbove = 0, Interval = TimeSpan.FromHours(1) });
        ConntrackAlert alert = Assert.Single(watcher.Take());
        Assert.Equal((AlertKind.Fill, AlertState.Raised, _ns.Name), (alert.Kind, alert.State, alert.Namespace));
        Assert.Same(alert, Assert.Single(watcher.Active));
    }

    [Fact]
    public void A_finding_comes_and_goes_with_a_setting()
    {
        _ns.SetConntrackSetting("nf_conntrack_acct", 1);
        using AlertWatcher watcher = Watch(new AlertOptions { Finding = finding => finding.Name == "AccountingOff", Interval = TimeSpan.FromMilliseconds(20) });
        Assert.Empty(watcher.Take());
        _ns.SetConntrackSetting("nf_conntrack_acct", 0);
        ConntrackAlert raised = Assert.Single(watcher.Take());
        Assert.Equal((AlertKind.Finding, AlertState.Raised, "AccountingOff", "nf_conntrack_acct is 0."), (raised.Kind, raised.State, raised.Finding, raised.Evidence));
        Assert.Empty(watcher.Take());
        Assert.Single(watcher.Active);
        _ns.SetConntrackSetting("nf_conntrack_acct", 1);
        Assert.Equal(AlertState.Cleared, Assert.Single(watcher.Take()).State);
        Assert.Empty(watcher.Active);
    }

    [Fact]
    public void A_namespace_that_is_gone_is_an_alert_and_the_others_go_on_until_it_is_back()
    {
        using NetworkNamespaceFixture other = new();
        other.SetConntrackSetting("nf_conntrack_acct", 1);
        using AlertWatcher watcher = new(new AlertOptions { FillAbove = 0, Drop = true, Interval = TimeSpan.FromMilliseconds(20) });
        watcher.Add(_ns.Namespace);
        watcher.Add(other.Namespace);
        Assert.Empty(watcher.Take());
        _ns.Dispose();
        ConntrackAlert gone = Assert.Single(watcher.Take());
        Assert.Equal((AlertKind.Reading, AlertState.Raised, _ns.Name), (gone.Kind, gone.State, gone.Namespace));
        other.Exec("conntrack", "-I", "-s", "192.0.2.1", "-d", "198.51.100.7", "-p", "udp", "--sport", "1", "--dport", "2", "-t", "600");
        Assert.Equal((AlertKind.Fill, other.Name), Assert.Single(watcher.Take()) is var fill ? (fill.Kind, fill.Namespace) : default);
        Assert.Equal(2, watcher.Active.Count);
        Shell.Run("ip", "netns", "add", _ns.Name);
        ConntrackAlert back = Assert.Single(watcher.Take());
        Assert.Equal((AlertKind.Reading, AlertState.Cleared, _ns.Name), (back.Kind, back.State, back.Namespace));
        Assert.Single(watcher.Active);
    }

    /// <summary>Two ICMP packets of one flow meet before either entry is confirmed: the kernel can't insert the second.</summary>
    [Fact]
    public void Drops_of_real_packets_are_an_alert()
    {
        _ns.TrackPackets();
        using PacketQueue queue = new(_ns);
        _ns.Exec("iptables", "-t", "mangle", "-A", "POSTROUTING", "-p", "icmp", "-j", "NFQUEUE", "--queue-num", "0");
        using Socket socket = _ns.Namespace.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Icmp));
        using AlertWatcher watcher = Watch(new AlertOptions { Drop = true, QuietTime = TimeSpan.Zero, Interval = TimeSpan.FromMilliseconds(20) });
        Assert.Empty(watcher.Take());
        byte[] request = [8, 0, 0, 0, 0, 1, 0, 0];
        socket.SendTo(request, new IPEndPoint(IPAddress.Loopback, 1));
        socket.SendTo(request, new IPEndPoint(IPAddress.Loopback, 1));
        queue.Release(2);
        ConntrackAlert raised = Assert.Single(watcher.Take());
        Assert.Equal((AlertKind.Drop, AlertState.Raised), (raised.Kind, raised.State));
        Assert.Matches("insert_failed \\+1 in ", raised.Evidence);
        Assert.Matches("insert_failed=[1-9]", _ns.Exec("conntrack", "-S"));
        Assert.Equal(AlertState.Cleared, Assert.Single(watcher.Take()).State);
    }

    [Fact]
    public void The_first_reading_has_the_error()
    {
        using AlertWatcher watcher = new(new AlertOptions { Finding = _ => true });
        Assert.Equal(Errno.NotPermitted, Assert.Throws<NetlinkException>(() => Unprivileged.Run(_ns.Namespace, () =>
        {
            watcher.Add(null);
            return 0;
        })).Errno);
        Assert.Equal(0, watcher.Count);
    }

    [Fact]
    public async Task Cancelling_ends_the_wait()
    {
        using AlertWatcher watcher = Watch(new AlertOptions { FillAbove = 100, Interval = TimeSpan.FromHours(1) });
        Task<IReadOnlyList<ConntrackAlert>> taking = Task.Run(watcher.Take);
        watcher.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => taking);
    }

    private AlertWatcher Watch(AlertOptions options)
    {
        AlertWatcher watcher = new(options);
        watcher.Add(_ns.Namespace);
        return watcher;
    }

    private void Insert(int count)
    {
        for (int i = 1; i <= count; i++)
            _ns.Exec("conntrack", "-I", "-s", $"192.0.2.{i}", "-d", "198.51.100.7", "-p", "udp", "--sport", "1", "--dport", "2", "-t", "600");
    }
}
