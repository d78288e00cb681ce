using System.Collections;
using System.Collections.Specialized;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Tuning.Policies;

/// <summary>A named set of timeouts that rules attach to connections: <c>iptables -j CT --timeout NAME</c>.</summary>
/// <remarks>struct nf_ct_timeout; CTA_TIMEOUT_* of linux/netfilter/nfnetlink_cttimeout.h. It does not include those of nft (<c>ct
/// timeout</c>), which nft keeps separately.</remarks>
public sealed class ConntrackTimeoutPolicy
{
    internal ConntrackTimeoutPolicy()
    {
    }

    /// <summary>The name, at most 31 bytes (CTNL_TIMEOUT_NAME_MAX).</summary>
    public string Name { get; internal set; } = "";

    /// <summary>The address family of its connections (CTA_TIMEOUT_L3PROTO).</summary>
    public IPFamily AddressFamily { get; internal set; }

    /// <summary>The protocol of its connections (CTA_TIMEOUT_L4PROTO).</summary>
    public TimeoutProtocol Protocol { get; internal set; }

    /// <summary>The number of rules that use it (CTA_TIMEOUT_USE minus the kernel's own 1).</summary>
    public uint UseCount { get; internal set; }

    /// <summary>Seconds by state. Protocols with one timeout use the key Timeout.</summary>
    public TimeoutValues Timeout { get; } = new();

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; internal set; }

    /// <summary>Reads the policies of a network namespace.</summary>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <exception cref="NetlinkException">EPERM: CAP_NET_ADMIN is missing.</exception>
    /// <exception cref="ConntrackUnavailableException">The kernel has no timeout policies (module nfnetlink_cttimeout).</exception>
    public static IReadOnlyList<ConntrackTimeoutPolicy> Read(NetworkNamespace? networkNamespace = null) => new TimeoutPolicies(networkNamespace).Read();

    /// <summary>Creates a policy. States that are not set use the namespace's current defaults.</summary>
    /// <param name="name">The name, 1 to 31 bytes.</param>
    /// <param name="family">The address family of its connections.</param>
    /// <param name="protocol">The protocol of its connections.</param>
    /// <param name="timeouts">Whole seconds from 1 to 2147483, by the keys of <see cref="Timeout"/>: SynSent, Established.</param>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <exception cref="ArgumentException">The name is empty or too long, the protocol has no such state, or a timeout is out of
    /// range.</exception>
    /// <exception cref="NetlinkException">EEXIST: the name already exists. EOPNOTSUPP: the protocol is not tracked. EPERM: CAP_NET_ADMIN is
    /// missing.</exception>
    /// <exception cref="ConntrackUnavailableException">The kernel has no timeout policies.</exception>
    public static void Create(
        string name, IPFamily family, TimeoutProtocol protocol, IReadOnlyDictionary<string, TimeSpan> timeouts, NetworkNamespace? networkNamespace = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(timeouts);
        new TimeoutPolicies(networkNamespace).Create(name, family, protocol, timeouts.ToDictionary(pair => TimeoutValues.Find(protocol, pair.Key), pair => TimeoutRange.Check(pair.Value)));
    }

    /// <summary>Removes a policy that no rule uses.</summary>
    /// <param name="name">The name.</param>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <exception cref="ArgumentException">The name is empty or too long.</exception>
    /// <exception cref="NetlinkException">ENOENT: the name does not exist. EBUSY: rules use it. EPERM: CAP_NET_ADMIN is
    /// missing.</exception>
    /// <exception cref="ConntrackUnavailableException">The kernel has no timeout policies.</exception>
    public static void Remove(string name, NetworkNamespace? networkNamespace = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        new TimeoutPolicies(networkNamespace).Remove(name);
    }

    /// <summary>On one line: <c>web: IPv4 Tcp SynSent=120,...</c>.</summary>
    public override string ToString() => $"{Name}: {AddressFamily} {Protocol} {Timeout}";
}

/// <summary>A policy's timeouts in seconds, by state, in the kernel's order. A dictionary for scripts and JSON, and
/// <c>SynSent=120,Established=600</c> as text.</summary>
[SuppressMessage("Design", "CA1010", Justification = "Scripts and their JSON look for the dictionary without types.")]
public sealed class TimeoutValues : OrderedDictionary
{
    /// <summary>The key for protocols with one timeout.</summary>
    public const string SingleKey = "Timeout";

    internal TimeoutValues()
        : base(StringComparer.OrdinalIgnoreCase)
    {
    }

    /// <summary>The key of a timeout.</summary>
    internal static string KeyOf(TimeoutDefinition definition) => definition.State?.ToString() ?? SingleKey;

    /// <summary>The timeout of a protocol with this key.</summary>
    /// <exception cref="UnknownTimeoutException">The protocol has no such state.</exception>
    internal static TimeoutDefinition Find(TimeoutProtocol protocol, string key) =>
        TimeoutCatalog.Find(protocol, key.Equals(SingleKey, StringComparison.OrdinalIgnoreCase) ? null : key);

    /// <summary>All timeouts as text, such as <c>SynSent=120,Established=600</c>.</summary>
    public override string ToString() => string.Join(
        ',', this.Cast<DictionaryEntry>().Select(entry => string.Create(CultureInfo.InvariantCulture, $"{entry.Key}={entry.Value}")));
}
