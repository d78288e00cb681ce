using ConntrackPS.Conntrack;

namespace ConntrackPS.Text;

/// <summary>States as the kernel and libnetfilter_conntrack print them.</summary>
/// <remarks>tcp_conntrack_names, sctp_conntrack_names and dccp_state_names of net/netfilter/nf_conntrack_proto_*.c.</remarks>
internal static class StateNames
{
    private const string None = "NONE";

    /// <summary>The word for a state; NONE for one that has none, as conntrack prints it.</summary>
    public static string Of(IPProtocol protocol, ConntrackState state) => state switch
    {
        ConntrackState.SynSent => "SYN_SENT",
        ConntrackState.SynRecv => "SYN_RECV",
        ConntrackState.Established => "ESTABLISHED",
        ConntrackState.FinWait => "FIN_WAIT",
        ConntrackState.CloseWait => "CLOSE_WAIT",
        ConntrackState.LastAck => "LAST_ACK",
        ConntrackState.TimeWait => protocol == IPProtocol.Dccp ? "TIMEWAIT" : "TIME_WAIT",
        ConntrackState.Close => "CLOSE",
        ConntrackState.SynSent2 => "SYN_SENT2",
        ConntrackState.Closed => "CLOSED",
        ConntrackState.CookieWait => "COOKIE_WAIT",
        ConntrackState.CookieEchoed => "COOKIE_ECHOED",
        ConntrackState.ShutdownSent => "SHUTDOWN_SENT",
        ConntrackState.ShutdownRecd => "SHUTDOWN_RECD",
        ConntrackState.ShutdownAckSent => "SHUTDOWN_ACK_SENT",
        ConntrackState.HeartbeatSent => "HEARTBEAT_SENT",
        ConntrackState.HeartbeatAcked => "HEARTBEAT_ACKED",
        ConntrackState.Request => "REQUEST",
        ConntrackState.Respond => "RESPOND",
        ConntrackState.PartOpen => "PARTOPEN",
        ConntrackState.Open => "OPEN",
        ConntrackState.CloseReq => "CLOSEREQ",
        ConntrackState.Closing => "CLOSING",
        ConntrackState.Ignore => "IGNORE",
        ConntrackState.Invalid => "INVALID",
        _ => None,
    };

    /// <summary>Reads a state; false where the protocol has no such one.</summary>
    public static bool TryParse(ReadOnlySpan<char> word, IPProtocol protocol, out ConntrackState state)
    {
        ConntrackState? known = word switch
        {
            None => ConntrackState.None,
            "SYN_SENT" => ConntrackState.SynSent,
            "SYN_RECV" => ConntrackState.SynRecv,
            "ESTABLISHED" => ConntrackState.Established,
            "FIN_WAIT" => ConntrackState.FinWait,
            "CLOSE_WAIT" => ConntrackState.CloseWait,
            "LAST_ACK" => ConntrackState.LastAck,
            "TIME_WAIT" or "TIMEWAIT" => ConntrackState.TimeWait,
            "CLOSE" => ConntrackState.Close,

            // LISTEN had this number before Linux 2.6.31.
            "SYN_SENT2" or "LISTEN" => ConntrackState.SynSent2,
            "CLOSED" => ConntrackState.Closed,
            "COOKIE_WAIT" => ConntrackState.CookieWait,
            "COOKIE_ECHOED" => ConntrackState.CookieEchoed,
            "SHUTDOWN_SENT" => ConntrackState.ShutdownSent,
            "SHUTDOWN_RECD" => ConntrackState.ShutdownRecd,
            "SHUTDOWN_ACK_SENT" => ConntrackState.ShutdownAckSent,
            "HEARTBEAT_SENT" => ConntrackState.HeartbeatSent,
            "HEARTBEAT_ACKED" => ConntrackState.HeartbeatAcked,
            "REQUEST" => ConntrackState.Request,
            "RESPOND" => ConntrackState.Respond,
            "PARTOPEN" => ConntrackState.PartOpen,
            "OPEN" => ConntrackState.Open,
            "CLOSEREQ" => ConntrackState.CloseReq,
            "CLOSING" => ConntrackState.Closing,
            "IGNORE" => ConntrackState.Ignore,
            "INVALID" => ConntrackState.Invalid,
            _ => null,
        };
        state = known.GetValueOrDefault();
        return known is not null && ConntrackStates.ToKernel(protocol, state) is not null;
    }
}
