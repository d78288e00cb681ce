using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Tests.Tuning;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Tests.Diagnosis.Health;

/// <summary>The whole check, in namespaces with problems that need no change to the machine.</summary>
public sealed class HealthCheckTests : IDisposable
{
    private readonly NetworkNamespaceFixture _ns = new();
    private readonly PersistenceFixture _files = new();

    public void Dispose()
    {
        _ns.Dispose();
        _files.Dispose();
    }

    [Fact]
    public void A_quiet_namespace_has_nothing_but_advice()
    {
        // The maximum and the buckets belong to the machine, and others may have set them.
        Assert.All(Find().Where(finding => !finding.Name.Contains("Bucket", StringComparison.Ordinal) && !finding.Name.Contains("Maximum", StringComparison.Ordinal)), finding => Assert.Equal(FindingSeverity.Information, finding.Severity));
        Assert.Superset(new HashSet<string> { "AccountingOff", "TimestampOff" }, Find().Select(finding => finding.Name).ToHashSet());
        Assert.Equal(_ns.Name, Find().First(finding => finding.Name == "AccountingOff").Namespace);
        foreach (string setting in new[] { "acct", "timestamp", "events" })
            _ns.SetConntrackSetting("nf_conntrack_" + setting, 1);
        Assert.DoesNotContain(Find(), finding => finding.Name is "AccountingOff" or "TimestampOff" or "EventsAuto");
    }

    [Fact]
    public void A_flood_of_handshakes_and_its_source_are_found()
    {
        TableFiller.Create(_ns, Enumerable.Range(1, 2000).Select(port => Entries.Tcp("10.9.8.7", port, "198.51.100.7", 80).WithState(ConntrackState.SynSent)));
        IReadOnlyList<ConntrackFinding> findings = Find();
        Assert.Contains("10.9.8.7 (2,000)", findings.Single(finding => finding.Name == "HalfOpenFlood").Evidence, StringComparison.Ordinal);
        Assert.Contains(findings, finding => finding.Name == "SourceShare");
        Assert.DoesNotContain(findings, finding => finding.Name == "Unreplied");
    }

    [Fact]
    public void Unreplied_entries_are_found()
    {
        TableFiller.Create(_ns, Enumerable.Range(1, 1500).Select(port => Entries.Udp($"2001:db8::{port}", port, "2001:db8:1::7", 53)));
        Assert.Equal($"Remove-ConntrackEntry -Unreplied -NetworkNamespace '{_ns.Name}'", Find().Single(finding => finding.Name == "Unreplied").Remedy);
    }

    [Fact]
    public void Idle_connections_under_the_timeout_of_five_days_are_found()
    {
        TableFiller.Create(_ns, Enumerable.Range(1, 1500).Select(Idle));
        Assert.Contains(Find(), finding => finding.Name == "IdleEstablished");
        new TimeoutDefaults(_ns.Namespace).Set(TimeoutCatalog.Find(TimeoutProtocol.Tcp, "Established"), 86400);
        Assert.DoesNotContain(Find(), finding => finding.Name == "IdleEstablished");

        static ConntrackEntry Idle(int port)
        {
            ConntrackEntry entry = Entries.Tcp($"10.0.{port / 250}.{port % 250}", port, "198.51.100.7", 80).WithState(ConntrackState.Established);
            entry.Status = ConntrackStatus.Confirmed | ConntrackStatus.SeenReply | ConntrackStatus.Assured;
            entry.Data.Timeout = 300000;
            return entry;
        }
    }

    [Fact]
    public void Helpers_in_use_are_found()
    {
        ConntrackEntry entry = Entries.Tcp("192.0.2.1", 4000, "198.51.100.7", 21).WithState(ConntrackState.Established);
        entry.MakeDetails().Helper = "ftp";
        if (TableFiller.TryCreate(_ns, entry))
            Assert.Contains("ftp (1)", Find().Single(finding => finding.Name == "HelperInUse").Evidence, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_that_contradict_the_running_values_are_found()
    {
        _files.Write("etc/sysctl.d/10-other.conf", "net.netfilter.nf_conntrack_udp_timeout = 77", "net.netfilter.nf_conntrack_acct = 1", "net.netfilter.nf_conntrack_checksum = 1");
        _files.Write("etc/sysctl.d/99-conntrackps.conf", "net.netfilter.nf_conntrack_generic_timeout = 600");
        _files.Write("etc/sysctl.d/99-zz.conf", "net.netfilter.nf_conntrack_generic_timeout = 500");

        // On the thread in the namespace, because files are compared only for the caller's own namespace.
        ConntrackFinding[] findings = [.. _ns.Namespace.Run(() => HealthCheck.Judge(new HealthReader(null, _files.Root).Read(TimeSpan.Zero, default))).Shown()];
        Dictionary<string, ConntrackFinding> differences = findings.Where(finding => finding.Name == "PersistedDiffers").ToDictionary(finding => finding.Evidence.Split(' ')[0]);
        Assert.Equal(
            ["net.netfilter.nf_conntrack_acct", "net.netfilter.nf_conntrack_generic_timeout", "net.netfilter.nf_conntrack_udp_timeout"],
            differences.Keys.Order());
        string root = $" -PersistRoot '{_files.Root.Path}'";
        Assert.Equal("Set-ConntrackSetting -Name Accounting -Value $false -PersistOnly" + root, differences["net.netfilter.nf_conntrack_acct"].Remedy);
        Assert.Equal("Set-ConntrackTimeout -Protocol Udp -State Unreplied -Timeout 30 -PersistOnly" + root, differences["net.netfilter.nf_conntrack_udp_timeout"].Remedy);

        // The later file overrides our line, so its line must be removed first.
        Assert.Matches("^.Get-Content .*99-zz.conf.*; Set-ConntrackTimeout -Protocol Generic", differences["net.netfilter.nf_conntrack_generic_timeout"].Remedy);
        Assert.Contains("99-zz.conf", findings.Single(finding => finding.Name == "PersistedElsewhere").Evidence, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_privilege_the_kernel_s_refusal_is_told() => Assert.Equal(
        Errno.NotPermitted,
        Assert.Throws<NetlinkException>(() => Unprivileged.Run(_ns.Namespace, () => new HealthCheck(null, _files.Root, TimeSpan.Zero).Run())).Errno);

    [Fact]
    public void A_sample_can_be_cut_short()
    {
        using CancellationTokenSource stop = new(TimeSpan.FromMilliseconds(200));
        Assert.ThrowsAny<OperationCanceledException>(() => new HealthCheck(_ns.Namespace, _files.Root, TimeSpan.FromHours(1)).Run(stop.Token));
    }

    private IReadOnlyList<ConntrackFinding> Find() => [.. new HealthCheck(_ns.Namespace, _files.Root, TimeSpan.Zero).Run().Shown()];
}
