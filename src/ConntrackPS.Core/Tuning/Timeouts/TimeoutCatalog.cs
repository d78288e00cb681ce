using System.Globalization;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Tuning.Timeouts;

/// <summary>All timeouts that kernels from 5.4 have.</summary>
/// <remarks>The numbers are those of linux/netfilter/nfnetlink_cttimeout.h, the defaults those of
/// nf_conntrack_proto_*.c in Linux 6.18.</remarks>
internal static class TimeoutCatalog
{
    /// <summary>SCTP's default before kernels gave up the state HEARTBEAT_ACKED: five days.</summary>
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

        // The kernel keeps one pair for both.
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
    /// <param name="state">The state in our spelling or the kernel's, or the sysctl's (stream, max_retrans), or our number
    /// for it; null for a protocol with one timeout.</param>
    /// <exception cref="UnknownTimeoutException">The protocol has no such state; the message names those it has.</exception>
    public static TimeoutDefinition Find(TimeoutProtocol protocol, string? state) => TryFind(protocol, state) ?? throw Unknown([protocol], state);

    /// <summary>The same, or null where the protocol has no such state.</summary>
    public static TimeoutDefinition? TryFind(TimeoutProtocol protocol, string? state)
    {
        TimeoutState? wanted = string.IsNullOrWhiteSpace(state) ? null : ParseState(state.Trim());
        return wanted is null && !string.IsNullOrWhiteSpace(state) ? null : Of(protocol).FirstOrDefault(choice => choice.State == wanted);
    }

    /// <summary>None of the protocols has a timeout for the state.</summary>
    public static UnknownTimeoutException Unknown(IReadOnlyList<TimeoutProtocol> protocols, string? state) => new(
        protocols, state, [.. protocols.SelectMany(Of).Select(choice => choice.State).OfType<TimeoutState>().Distinct()]);

    private static TimeoutState? ParseState(string text) => text.ToLowerInvariant() switch
    {
        "stream" => TimeoutState.Replied,
        "max_retrans" => TimeoutState.Retrans,
        "unack" => TimeoutState.Unacknowledged,

        // JSON turns enums into numbers.
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
