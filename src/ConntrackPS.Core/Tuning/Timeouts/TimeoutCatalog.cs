using System.Globalization;
using ConntrackPS.Conntrack;
using LinuxSysctl = ConntrackPS.Linux.Sysctl;

namespace ConntrackPS.Tuning.Timeouts;

/// <summary>All timeouts that kernels from 5.4 have.</summary>
/// <remarks>The numbers are those of linux/netfilter/nfnetlink_cttimeout.h, the defaults those of
/// nf_conntrack_proto_*.c in Linux 6.18.</remarks>
internal static class TimeoutCatalog
{
    /// <summary>SCTP's default on kernels that still had the state HEARTBEAT_ACKED: five days.</summary>
    public const uint FormerSctpEstablished = 432000;

    private const uint Minutes = 60;
    private const uint Hours = 3600;
    private const uint Days = 86400;

    public static readonly IReadOnlyList<TimeoutDefinition> All =
    [
        .. States(
            TimeoutProtocol.Tcp,
            "nf_conntrack_tcp_timeout_",
            (TimeoutState.SynSent, "syn_sent", 2 * Minutes),
            (TimeoutState.SynRecv, "syn_recv", 60),
            (TimeoutState.Established, "established", 5 * Days),
            (TimeoutState.FinWait, "fin_wait", 2 * Minutes),
            (TimeoutState.CloseWait, "close_wait", 60),
            (TimeoutState.LastAck, "last_ack", 30),
            (TimeoutState.TimeWait, "time_wait", 2 * Minutes),
            (TimeoutState.Close, "close", 10),
            (TimeoutState.SynSent2, null, 2 * Minutes),
            (TimeoutState.Retrans, "max_retrans", 5 * Minutes),
            (TimeoutState.Unacknowledged, "unacknowledged", 5 * Minutes)),
        .. States(
            TimeoutProtocol.Udp,
            "nf_conntrack_udp_timeout",
            (TimeoutState.Unreplied, "", 30),
            (TimeoutState.Replied, "_stream", 2 * Minutes)),

        // The kernel uses the same pair for both.
        .. States(
            TimeoutProtocol.UdpLite,
            "nf_conntrack_udp_timeout",
            (TimeoutState.Unreplied, "", 30),
            (TimeoutState.Replied, "_stream", 2 * Minutes)),
        .. States(
            TimeoutProtocol.Sctp,
            "nf_conntrack_sctp_timeout_",
            (TimeoutState.Closed, "closed", 10),
            (TimeoutState.CookieWait, "cookie_wait", 3),
            (TimeoutState.CookieEchoed, "cookie_echoed", 3),
            (TimeoutState.Established, "established", 210),
            (TimeoutState.ShutdownSent, "shutdown_sent", 3),
            (TimeoutState.ShutdownRecd, "shutdown_recd", 3),
            (TimeoutState.ShutdownAckSent, "shutdown_ack_sent", 3),
            (TimeoutState.HeartbeatSent, "heartbeat_sent", 30),
            (TimeoutState.HeartbeatAcked, "heartbeat_acked", 210)),
        .. States(
            TimeoutProtocol.Dccp,
            "nf_conntrack_dccp_timeout_",
            (TimeoutState.Request, "request", 4 * Minutes),
            (TimeoutState.Respond, "respond", 8 * Minutes),
            (TimeoutState.PartOpen, "partopen", 8 * Minutes),
            (TimeoutState.Open, "open", 12 * Hours),
            (TimeoutState.CloseReq, "closereq", 64),
            (TimeoutState.Closing, "closing", 64),
            (TimeoutState.TimeWait, "timewait", 4 * Minutes)),
        .. States(
            TimeoutProtocol.Gre,
            "nf_conntrack_gre_timeout",
            (TimeoutState.Unreplied, "", 30),
            (TimeoutState.Replied, "_stream", 3 * Minutes)),
        new(TimeoutProtocol.Icmp, null, 1, "nf_conntrack_icmp_timeout", 30),
        new(TimeoutProtocol.IcmpV6, null, 1, "nf_conntrack_icmpv6_timeout", 30),
        new(TimeoutProtocol.Generic, null, 1, "nf_conntrack_generic_timeout", 10 * Minutes),
    ];

    /// <summary>The timeouts of a protocol, in the kernel's order.</summary>
    public static IReadOnlyList<TimeoutDefinition> Of(TimeoutProtocol protocol) =>
        [.. All.Where(definition => definition.Protocol == protocol)];

    /// <summary>The timeout of a protocol's state.</summary>
    /// <param name="protocol">The protocol.</param>
    /// <param name="state">The state in the spelling of this library, of the kernel or of the sysctl (stream, max_retrans), or its number
    /// in this library. Null for a protocol with one timeout.</param>
    /// <exception cref="UnknownTimeoutException">The protocol has no such state. The message lists its states.</exception>
    public static TimeoutDefinition Find(TimeoutProtocol protocol, string? state) => TryFind(protocol, state) ?? throw Unknown([protocol], state);

    /// <summary>Like Find, but returns null if the protocol has no such state.</summary>
    public static TimeoutDefinition? TryFind(TimeoutProtocol protocol, string? state)
    {
        TimeoutState? wanted = string.IsNullOrWhiteSpace(state) ? null : ParseState(state.Trim());
        return wanted is null && !string.IsNullOrWhiteSpace(state) ? null : Of(protocol).FirstOrDefault(choice => choice.State == wanted);
    }

    /// <summary>The timeout that the kernel sets on an entry at its next packet. Null if the entry's state has none or is
    /// unknown.</summary>
    public static TimeoutDefinition? Of(ConntrackEntry entry)
    {
        TimeoutProtocol own = (TimeoutProtocol)entry.Protocol;
        TimeoutProtocol protocol = Enum.IsDefined(own) ? own : TimeoutProtocol.Generic;
        bool isReplied = (entry.Status & (ConntrackStatus.SeenReply | ConntrackStatus.Assured)) != 0;
        return protocol switch
        {
            TimeoutProtocol.Udp or TimeoutProtocol.UdpLite or TimeoutProtocol.Gre =>
                TryFind(protocol, (isReplied ? TimeoutState.Replied : TimeoutState.Unreplied).ToString()),
            TimeoutProtocol.Tcp or TimeoutProtocol.Sctp or TimeoutProtocol.Dccp =>
                entry.State is { } state ? TryFind(protocol, state.ToString()) : null,
            _ => TryFind(protocol, null),
        };
    }

    /// <summary>None of the protocols has a timeout for the state.</summary>
    public static UnknownTimeoutException Unknown(IReadOnlyList<TimeoutProtocol> protocols, string? state) => new(
        protocols, state, [.. protocols.SelectMany(Of).Select(choice => choice.State).OfType<TimeoutState>().Distinct()]);

    private static TimeoutState? ParseState(string text) => text.ToLowerInvariant() switch
    {
        "stream" => TimeoutState.Replied,
        "max_retrans" => TimeoutState.Retrans,
        "unack" => TimeoutState.Unacknowledged,

        // JSON contains enum values as numbers.
        _ when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) =>
            Enum.IsDefined((TimeoutState)number) ? (TimeoutState)number : null,
        _ when ConntrackStates.TryParse(text, out ConntrackState known) => KernelSpelling.TryParse(known.ToString(), out TimeoutState same) ? same : null,
        _ => KernelSpelling.TryParse(text, out TimeoutState state) ? state : null,
    };

    /// <summary>The kernel numbers a protocol's states from 1, in this order.</summary>
    private static IEnumerable<TimeoutDefinition> States(
        TimeoutProtocol protocol, string prefix, params (TimeoutState State, string? Sysctl, uint Default)[] states) =>
        states.Select((entry, index) => new TimeoutDefinition(
            protocol, entry.State, (byte)(index + 1), entry.Sysctl is null ? null : prefix + entry.Sysctl, entry.Default));
}

/// <summary>One of the kernel's timeouts: its location and its default.</summary>
/// <param name="Protocol">The protocol.</param>
/// <param name="State">The state, or null for protocols with one timeout.</param>
/// <param name="Attribute">CTA_TIMEOUT_{PROTOCOL}_{STATE} inside CTA_TIMEOUT_DATA.</param>
/// <param name="Sysctl">The file below /proc/sys/net/netfilter, or null if there is none.</param>
/// <param name="DefaultSeconds">The kernel's default, in seconds.</param>
internal sealed record TimeoutDefinition(
    TimeoutProtocol Protocol, TimeoutState? State, byte Attribute, string? Sysctl, uint DefaultSeconds)
{
    /// <summary>False on kernels that have removed SCTP's state HEARTBEAT_ACKED.</summary>
    public static bool HasHeartbeatAcked => File.Exists(LinuxSysctl.Netfilter + "nf_conntrack_sctp_timeout_heartbeat_acked");

    /// <summary>True for a state that the kernel has removed. It reports 0 for it, which is not a timeout, and accepts none.</summary>
    public bool IsObsolete => State == TimeoutState.HeartbeatAcked && !HasHeartbeatAcked;

    /// <summary>As text: <c>tcp SYN_SENT</c>.</summary>
    public override string ToString() =>
        State is { } state ? $"{NameOf(Protocol)} {KernelSpelling.Of(state)}" : NameOf(Protocol);

    private static string NameOf(TimeoutProtocol protocol) => protocol.ToString().ToLowerInvariant();
}

/// <summary>A protocol has no timeout for a state.</summary>
/// <param name="protocols">The protocol, or several protocols without such a timeout.</param>
/// <param name="state">The requested state, or null for no state.</param>
/// <param name="choices">The existing states. Empty for a protocol with one timeout.</param>
internal sealed class UnknownTimeoutException(IReadOnlyList<TimeoutProtocol> protocols, string? state, IReadOnlyList<TimeoutState> choices)
    : ArgumentException(Describe(protocols, state, choices))
{
    /// <summary>The states with timeouts.</summary>
    public IReadOnlyList<TimeoutState> Choices { get; } = choices;

    private static string Describe(IReadOnlyList<TimeoutProtocol> protocols, string? state, IReadOnlyList<TimeoutState> choices)
    {
        string who = string.Join(", ", protocols);
        if (choices.Count == 0)
            return $"{who} has one timeout and no states: leave '{state}' out.";
        string problem = string.IsNullOrWhiteSpace(state) ? $"{who} has a timeout for each state: name one." : $"{who}: there is no timeout for a state '{state}'.";
        return $"{problem} The states are {string.Join(", ", choices)}.";
    }
}

/// <summary>The states of a connection with their own timeout (CTA_TIMEOUT_*, linux/netfilter/nfnetlink_cttimeout.h). The numbers are this
/// library's.</summary>
public enum TimeoutState
{
    /// <summary>TCP: the first SYN.</summary>
    SynSent = 1,

    /// <summary>TCP: SYN and ACK.</summary>
    SynRecv,

    /// <summary>TCP, SCTP: established.</summary>
    Established,

    /// <summary>TCP: the first FIN.</summary>
    FinWait,

    /// <summary>TCP: the FIN is acknowledged.</summary>
    CloseWait,

    /// <summary>TCP: the second FIN.</summary>
    LastAck,

    /// <summary>TCP, DCCP: both FINs are acknowledged.</summary>
    TimeWait,

    /// <summary>TCP: reset.</summary>
    Close,

    /// <summary>TCP: both ends sent a SYN. There is no sysctl for it.</summary>
    SynSent2,

    /// <summary>TCP: after nf_conntrack_tcp_max_retrans retransmissions (nf_conntrack_tcp_timeout_max_retrans).</summary>
    Retrans,

    /// <summary>TCP: data is unacknowledged.</summary>
    Unacknowledged,

    /// <summary>UDP, UDP-Lite, GRE: packets in one direction only.</summary>
    Unreplied,

    /// <summary>UDP, UDP-Lite, GRE: packets in both directions (the stream timeout of the sysctls).</summary>
    Replied,

    /// <summary>SCTP: aborted.</summary>
    Closed,

    /// <summary>SCTP: INIT.</summary>
    CookieWait,

    /// <summary>SCTP: COOKIE_ECHO.</summary>
    CookieEchoed,

    /// <summary>SCTP: SHUTDOWN of the original direction.</summary>
    ShutdownSent,

    /// <summary>SCTP: SHUTDOWN of the reply direction.</summary>
    ShutdownRecd,

    /// <summary>SCTP: SHUTDOWN_ACK.</summary>
    ShutdownAckSent,

    /// <summary>SCTP: HEARTBEAT on another path.</summary>
    HeartbeatSent,

    /// <summary>SCTP: HEARTBEAT_ACK, only on older kernels.</summary>
    HeartbeatAcked,

    /// <summary>DCCP: REQUEST.</summary>
    Request,

    /// <summary>DCCP: RESPONSE.</summary>
    Respond,

    /// <summary>DCCP: the client's first ACK.</summary>
    PartOpen,

    /// <summary>DCCP: established.</summary>
    Open,

    /// <summary>DCCP: CLOSEREQ.</summary>
    CloseReq,

    /// <summary>DCCP: CLOSE.</summary>
    Closing,
}

/// <summary>The protocols with separate timeouts in connection tracking, by their IANA numbers.</summary>
public enum TimeoutProtocol : byte
{
    /// <summary>IPPROTO_ICMP.</summary>
    Icmp = 1,

    /// <summary>IPPROTO_TCP.</summary>
    Tcp = 6,

    /// <summary>IPPROTO_UDP.</summary>
    Udp = 17,

    /// <summary>IPPROTO_DCCP: only kernels before 6.17.</summary>
    Dccp = 33,

    /// <summary>IPPROTO_GRE.</summary>
    Gre = 47,

    /// <summary>IPPROTO_ICMPV6.</summary>
    IcmpV6 = 58,

    /// <summary>IPPROTO_SCTP.</summary>
    Sctp = 132,

    /// <summary>IPPROTO_UDPLITE: uses the timeouts of UDP.</summary>
    UdpLite = 136,

    /// <summary>All other protocols. The kernel uses IPPROTO_RAW for them.</summary>
    Generic = 255,
}
