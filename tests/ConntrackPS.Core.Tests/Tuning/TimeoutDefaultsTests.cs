using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Tests.Tuning;

public sealed class TimeoutDefaultsTests : IDisposable
{
    private readonly NetworkNamespaceFixture _ns = new();

    public static TheoryData<TimeoutProtocol> TrackedProtocols =>
        [TimeoutProtocol.Tcp, TimeoutProtocol.Udp, TimeoutProtocol.UdpLite, TimeoutProtocol.Sctp, TimeoutProtocol.Gre,
            TimeoutProtocol.Icmp, TimeoutProtocol.IcmpV6, TimeoutProtocol.Generic];

    private readonly List<FakeKernel> _kernels = [];

    public void Dispose()
    {
        _kernels.ForEach(kernel => kernel.Dispose());
        _ns.Dispose();
    }

    [Fact]
    public void A_new_namespace_has_the_defaults_that_we_know()
    {
        IReadOnlyList<ConntrackTimeout> timeouts = new TimeoutDefaults(_ns.Namespace).Read();
        Assert.All(timeouts, timeout => Assert.Equal(timeout.DefaultSeconds, timeout.TimeoutSeconds));
        Assert.Equal(
            [(TimeoutProtocol.Tcp, 11), (TimeoutProtocol.Udp, 2), (TimeoutProtocol.UdpLite, 2), (TimeoutProtocol.Sctp, 8), (TimeoutProtocol.Gre, 2),
                (TimeoutProtocol.Icmp, 1), (TimeoutProtocol.IcmpV6, 1), (TimeoutProtocol.Generic, 1)],
            timeouts.GroupBy(timeout => timeout.Protocol).Select(group => (group.Key, group.Count())));
    }

    [Theory]
    [MemberData(nameof(TrackedProtocols))]
    public void Each_is_what_nfct_and_sysctl_show(TimeoutProtocol protocol)
    {
        Change(protocol);
        Dictionary<string, uint> nfct = Nfct.Defaults(_ns, protocol.ToString().ToLowerInvariant());
        foreach (ConntrackTimeout timeout in new TimeoutDefaults(_ns.Namespace).Read().Where(timeout => timeout.Protocol == protocol))
        {
            Assert.NotEqual(timeout.DefaultSeconds, timeout.TimeoutSeconds);
            string name = timeout.State is { } state ? Names.UpperSnake(state.ToString()) : "TIMEOUT";

            // nfct 1.4.7 does not know this one.
            if (timeout.State != TimeoutState.HeartbeatSent)
                Assert.Equal(nfct[name], timeout.TimeoutSeconds);
            if (timeout.Sysctl is { } sysctl)
                Assert.Equal(_ns.Exec("sysctl", "-n", sysctl).Trim(), $"{timeout.TimeoutSeconds}");
        }
    }

    [Fact]
    public void Setting_one_leaves_the_others()
    {
        TimeoutDefaults defaults = new(_ns.Namespace);
        defaults.Set(TimeoutCatalog.Find(TimeoutProtocol.Tcp, "Established"), 600);
        ConntrackTimeout changed = Assert.Single(defaults.Read(), timeout => timeout.TimeoutSeconds != timeout.DefaultSeconds);
        Assert.Equal((TimeoutProtocol.Tcp, TimeoutState.Established, 600u, 432000u), (changed.Protocol, changed.State, changed.TimeoutSeconds, changed.DefaultSeconds));
    }

    [Theory]
    [InlineData(TimeoutRange.Minimum)]
    [InlineData(TimeoutRange.Maximum)]
    public void The_ends_of_the_range_are_kept_as_they_are(uint seconds)
    {
        TimeoutDefaults defaults = new(_ns.Namespace);
        TimeoutDefinition definition = TimeoutCatalog.Find(TimeoutProtocol.Tcp, "SynSent2");
        defaults.Set(definition, seconds);
        Assert.Equal(seconds, defaults.Read(definition).TimeoutSeconds);
    }

    [Fact]
    public void Without_a_privilege_sysctls_are_read_and_nothing_is_set()
    {
        new TimeoutDefaults(_ns.Namespace).Set(TimeoutCatalog.Find(TimeoutProtocol.Icmp, null), 17);
        IReadOnlyList<ConntrackTimeout> timeouts = Unprivileged.Run(_ns.Namespace, () => new TimeoutDefaults(null).Read());
        Assert.Equal(17u, timeouts.Single(timeout => timeout.Protocol == TimeoutProtocol.Icmp).TimeoutSeconds);

        // Only available by netlink.
        Assert.DoesNotContain(timeouts, timeout => timeout.State == TimeoutState.SynSent2);
        NetlinkException refused = Assert.Throws<NetlinkException>(() => Unprivileged.Run(_ns.Namespace, () =>
        {
            new TimeoutDefaults(null).Set(TimeoutCatalog.Find(TimeoutProtocol.Icmp, null), 18);
            return 0;
        }));
        Assert.Equal(Errno.NotPermitted, refused.Errno);
    }

    [Fact]
    public void Without_the_module_sysctls_are_read_and_set()
    {
        TimeoutDefaults defaults = new(_ns.Namespace, persisted: null, KernelWithoutTheModule);
        defaults.Set(TimeoutCatalog.Find(TimeoutProtocol.Tcp, "Close"), 77);
        Assert.Equal("77", _ns.Exec("sysctl", "-n", "net.netfilter.nf_conntrack_tcp_timeout_close").Trim());
        Assert.Equal(77u, defaults.Read(TimeoutCatalog.Find(TimeoutProtocol.Tcp, "Close")).TimeoutSeconds);
        Assert.Throws<UnsupportedTimeoutException>(() => defaults.Set(TimeoutCatalog.Find(TimeoutProtocol.Tcp, "SynSent2"), 77));
    }

    [Fact]
    public void A_protocol_that_the_kernel_does_not_track_is_an_error_that_says_so()
    {
        TimeoutDefinition definition = TimeoutCatalog.Find(TimeoutProtocol.Dccp, "Open");
        if (File.Exists(Sysctl.Netfilter + definition.Sysctl))
            return;
        Assert.Throws<UnsupportedTimeoutException>(() => new TimeoutDefaults(_ns.Namespace).Set(definition, 100));
        Assert.Throws<UnsupportedTimeoutException>(() => new TimeoutDefaults(_ns.Namespace).Read(definition));
    }

    /// <summary>It answers EINVAL to messages of a missing subsystem (nfnetlink.c), one for each protocol.</summary>
    private NetlinkConnection KernelWithoutTheModule()
    {
        FakeKernel kernel = new();
        _kernels.Add(kernel);
        for (uint request = 1; request <= Enum.GetValues<TimeoutProtocol>().Length; request++)
            kernel.Answer(Messages.Error(request, Errno.InvalidArgument));
        return kernel.Connection;
    }

    private void Change(TimeoutProtocol protocol)
    {
        uint seconds = 1001;
        foreach (TimeoutDefinition definition in TimeoutCatalog.Of(protocol).Where(definition => definition.State != TimeoutState.HeartbeatAcked))
            new TimeoutDefaults(_ns.Namespace).Set(definition, seconds++);
    }
}
