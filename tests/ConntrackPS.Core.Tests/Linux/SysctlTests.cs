using ConntrackPS.Linux;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Linux;

public sealed class SysctlTests(NetworkNamespaceFixture ns) : IClassFixture<NetworkNamespaceFixture>
{
    [Fact]
    public void A_number_is_that_of_the_namespace()
    {
        ns.SetConntrackSetting("nf_conntrack_generic_timeout", 4321);
        Assert.Equal(4321, Sysctl.ReadNumber(Sysctl.Netfilter + "nf_conntrack_generic_timeout", ns.Namespace));
        Assert.NotEqual(4321, Sysctl.ReadNumber(Sysctl.Netfilter + "nf_conntrack_generic_timeout"));
    }

    [Fact]
    public void A_parameter_that_this_kernel_lacks_is_null() =>
        Assert.Null(Sysctl.ReadNumber(Sysctl.Netfilter + "nf_conntrack_no_such_thing", ns.Namespace));

    /// <summary>Only the initial namespace has this second name for the maximum.</summary>
    [Fact]
    public void A_parameter_that_this_namespace_lacks_is_null() =>
        Assert.Null(Sysctl.ReadNumber("/proc/sys/net/nf_conntrack_max", ns.Namespace));
}
