using System.Globalization;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;
using ConntrackPS.Tuning.Settings;

namespace ConntrackPS.Tuning.Timeouts;

/// <summary>The timeout of an idle connection of a protocol in a state.</summary>
/// <remarks>CTA_TIMEOUT_TCP_* and similar of linux/netfilter/nfnetlink_cttimeout.h, or the sysctls
/// net.netfilter.nf_conntrack_*_timeout*.</remarks>
public sealed class ConntrackTimeout
{
    internal ConntrackTimeout(TimeoutDefinition definition, uint seconds, uint defaultSeconds, PersistedValue? persisted, NetworkNamespace? networkNamespace)
    {
        Definition = definition;
        TimeoutSeconds = seconds;
        DefaultSeconds = defaultSeconds;
        PersistedSeconds = persisted?.Number is { } number && number <= long.MaxValue ? (long)number : null;
        DiffersFromPersisted = persisted is not null && persisted.Number != seconds;
        PersistedText = persisted?.Text;
        PersistedIn = persisted?.File;
        Namespace = networkNamespace?.Name;
    }

    /// <summary>A timeout that a text told, of a kernel whose defaults are unknown.</summary>
    internal ConntrackTimeout(TimeoutDefinition definition, uint seconds) => (Definition, TimeoutSeconds) = (definition, seconds);

    /// <summary>The protocol.</summary>
    public TimeoutProtocol Protocol => Definition.Protocol;

    /// <summary>The state, or null for a protocol with one timeout.</summary>
    public TimeoutState? State => Definition.State;

    /// <summary>The current timeout: seconds without a packet until the entry expires.</summary>
    public uint TimeoutSeconds { get; }

    /// <summary>The kernel's own default, in seconds; null for a timeout that was read from text.</summary>
    public uint? DefaultSeconds { get; }

    /// <summary>The timeout that the files of sysctl.d set at the next boot, in seconds. Null if none does.</summary>
    public long? PersistedSeconds { get; }

    /// <summary>The file that sets it.</summary>
    public string? PersistedIn { get; }

    /// <summary>True if the next boot will set another timeout than the present one; null for a timeout that was read from text.</summary>
    public bool? DiffersFromPersisted { get; }

    /// <summary>The name for <c>sysctl</c>. Null for the one timeout that is only available by netlink.</summary>
    public string? Sysctl => Definition.Sysctl is { } name ? SysctlKey.Of(name) : null;

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; }

    internal TimeoutDefinition Definition { get; }

    /// <summary>The text in the file, even if it is not a number.</summary>
    internal string? PersistedText { get; }

    /// <summary>Reads the default timeouts of a network namespace: by netlink, or by sysctl, which requires no privilege.</summary>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <returns>The timeouts that this kernel has, by protocol.</returns>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    /// <exception cref="UnreadableSettingException">A timeout has an unusable value.</exception>
    public static IReadOnlyList<ConntrackTimeout> Read(NetworkNamespace? networkNamespace = null) =>
        new TimeoutDefaults(networkNamespace, PersistedSettings.ReadFor(networkNamespace)).Read();

    /// <summary>Sets a default timeout until the next boot. It applies to new connections, and to existing ones from their next packet
    /// (IPCTNL_MSG_TIMEOUT_DEFAULT_SET, or the sysctl).</summary>
    /// <param name="protocol">The protocol.</param>
    /// <param name="state">The state, or null for a protocol with one timeout.</param>
    /// <param name="timeout">Whole seconds from 1 to 2147483, nearly 25 days. Fractions of a second are ignored.</param>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <exception cref="ArgumentException">The protocol has no such state, or the timeout is out of range.</exception>
    /// <exception cref="NotSupportedException">This kernel does not have the timeout.</exception>
    /// <exception cref="Netlink.NetlinkException">EPERM: CAP_NET_ADMIN is missing.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public static void Set(TimeoutProtocol protocol, TimeoutState? state, TimeSpan timeout, NetworkNamespace? networkNamespace = null) =>
        new TimeoutDefaults(networkNamespace).Set(TimeoutCatalog.Find(protocol, state?.ToString()), TimeoutRange.Check(timeout));

    /// <summary>On one line: <c>tcp ESTABLISHED 432000 s</c>.</summary>
    public override string ToString() => $"{Definition} {TimeoutSeconds} s";
}

/// <summary>The range of timeouts that every kernel stores unchanged.</summary>
/// <remarks>The kernel counts ticks of down to a millisecond in 32 bits. By netlink a longer timeout wraps around without an error:
/// 20,000,000 s become 2,820,130 s.</remarks>
internal static class TimeoutRange
{
    /// <summary>The minimum in seconds: 0 would end connections immediately.</summary>
    public const uint Minimum = 1;

    /// <summary>The maximum in seconds: INT_MAX ticks at 1,000 Hz, nearly 25 days.</summary>
    public const uint Maximum = int.MaxValue / 1000;

    /// <summary>Converts a span to seconds.</summary>
    /// <param name="span">The span.</param>
    /// <param name="isTyped">False for a span that came from the kernel. That may be 0 if another program has set it, and may be written
    /// back.</param>
    /// <exception cref="ValueRangeException">It is out of range. The message has the range.</exception>
    public static uint Check(TimeSpan span, bool isTyped = true) =>
        span.TotalSeconds is >= Minimum and <= Maximum || (!isTyped && span == TimeSpan.Zero)
            ? (uint)span.TotalSeconds
            : throw new ValueRangeException(string.Create(
                CultureInfo.InvariantCulture,
                $"A timeout of {span.TotalSeconds} seconds is out of range: {Minimum} to {Maximum} seconds (24 days 20 hours) are possible."));
}

/// <summary>The minimum timeouts that the RFCs require for NAT, and that many hosts rely on.</summary>
internal static class TimeoutAdvice
{
    /// <summary>RFC 5382, REQ-5: 2 hours 4 minutes for established TCP connections, longer than the keep-alive interval of hosts.</summary>
    public const uint EstablishedTcp = 7440;

    /// <summary>RFC 4787, REQ-5: 2 minutes for UDP.</summary>
    public const uint Udp = 120;

    /// <summary>The reason why a timeout may be too short, or null.</summary>
    public static string? Check(TimeoutDefinition definition, uint seconds) => (definition.Protocol, definition.State) switch
    {
        (TimeoutProtocol.Tcp, TimeoutState.Established) when seconds < EstablishedTcp => Warn(
            definition, seconds, EstablishedTcp, "2 h 4 min", "RFC 5382", "idle connections may break before the hosts' keep-alives come"),
        (TimeoutProtocol.Udp or TimeoutProtocol.UdpLite, _) when seconds < Udp => Warn(
            definition, seconds, Udp, "2 min", "RFC 4787", "replies that come later may be dropped"),
        _ => null,
    };

    private static string Warn(TimeoutDefinition definition, uint seconds, uint limit, string span, string source, string effect) =>
        string.Create(CultureInfo.InvariantCulture, $"{definition}: {seconds} s is less than the {limit} s ({span}) of {source}; {effect}.");
}
