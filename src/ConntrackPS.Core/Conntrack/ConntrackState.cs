using System.Globalization;

namespace ConntrackPS.Conntrack;

/// <summary>The state of a TCP, SCTP or DCCP connection, by the kernel's names.</summary>
/// <remarks>enum tcp_conntrack (linux/netfilter/nf_conntrack_tcp.h), enum sctp_conntrack (nf_conntrack_sctp.h), enum ct_dccp_states.
/// Protocols with the same state name share one member. <see cref="ConntrackStates"/> has the number for each protocol.</remarks>
public enum ConntrackState : byte
{
    /// <summary>TCP_CONNTRACK_NONE.</summary>
    None = 0,

    /// <summary>TCP_CONNTRACK_SYN_SENT.</summary>
    SynSent,

    /// <summary>TCP_CONNTRACK_SYN_RECV.</summary>
    SynRecv,

    /// <summary>TCP_CONNTRACK_ESTABLISHED, SCTP_CONNTRACK_ESTABLISHED.</summary>
    Established,

    /// <summary>TCP_CONNTRACK_FIN_WAIT.</summary>
    FinWait,

    /// <summary>TCP_CONNTRACK_CLOSE_WAIT.</summary>
    CloseWait,

    /// <summary>TCP_CONNTRACK_LAST_ACK.</summary>
    LastAck,

    /// <summary>TCP_CONNTRACK_TIME_WAIT, CT_DCCP_TIMEWAIT.</summary>
    TimeWait,

    /// <summary>TCP_CONNTRACK_CLOSE.</summary>
    Close,

    /// <summary>TCP_CONNTRACK_SYN_SENT2: both ends sent a SYN.</summary>
    SynSent2,

    /// <summary>SCTP_CONNTRACK_CLOSED.</summary>
    Closed,

    /// <summary>SCTP_CONNTRACK_COOKIE_WAIT.</summary>
    CookieWait,

    /// <summary>SCTP_CONNTRACK_COOKIE_ECHOED.</summary>
    CookieEchoed,

    /// <summary>SCTP_CONNTRACK_SHUTDOWN_SENT.</summary>
    ShutdownSent,

    /// <summary>SCTP_CONNTRACK_SHUTDOWN_RECD.</summary>
    ShutdownRecd,

    /// <summary>SCTP_CONNTRACK_SHUTDOWN_ACK_SENT.</summary>
    ShutdownAckSent,

    /// <summary>SCTP_CONNTRACK_HEARTBEAT_SENT.</summary>
    HeartbeatSent,

    /// <summary>SCTP_CONNTRACK_HEARTBEAT_ACKED: only kernels before 5.19.</summary>
    HeartbeatAcked,

    /// <summary>CT_DCCP_REQUEST.</summary>
    Request,

    /// <summary>CT_DCCP_RESPOND.</summary>
    Respond,

    /// <summary>CT_DCCP_PARTOPEN.</summary>
    PartOpen,

    /// <summary>CT_DCCP_OPEN.</summary>
    Open,

    /// <summary>CT_DCCP_CLOSEREQ.</summary>
    CloseReq,

    /// <summary>CT_DCCP_CLOSING.</summary>
    Closing,

    /// <summary>CT_DCCP_IGNORE.</summary>
    Ignore,

    /// <summary>CT_DCCP_INVALID.</summary>
    Invalid,

    /// <summary>A state that this library doesn't know has this value plus the kernel's number.</summary>
    Unknown = 0x80,
}

/// <summary>The kernel's state numbers of each protocol.</summary>
public static class ConntrackStates
{
    private static readonly ConntrackState[] Tcp =
    [
        ConntrackState.None, ConntrackState.SynSent, ConntrackState.SynRecv, ConntrackState.Established,
        ConntrackState.FinWait, ConntrackState.CloseWait, ConntrackState.LastAck, ConntrackState.TimeWait,
        ConntrackState.Close, ConntrackState.SynSent2,
    ];

    private static readonly ConntrackState[] Sctp =
    [
        ConntrackState.None, ConntrackState.Closed, ConntrackState.CookieWait, ConntrackState.CookieEchoed,
        ConntrackState.Established, ConntrackState.ShutdownSent, ConntrackState.ShutdownRecd,
        ConntrackState.ShutdownAckSent, ConntrackState.HeartbeatSent, ConntrackState.HeartbeatAcked,
    ];

    private static readonly ConntrackState[] Dccp =
    [
        ConntrackState.None, ConntrackState.Request, ConntrackState.Respond, ConntrackState.PartOpen,
        ConntrackState.Open, ConntrackState.CloseReq, ConntrackState.Closing, ConntrackState.TimeWait,
        ConntrackState.Ignore, ConntrackState.Invalid,
    ];

    /// <summary>The states of a protocol, indexed by the kernel's number. Empty for a protocol without states.</summary>
    public static IReadOnlyList<ConntrackState> Of(IPProtocol protocol) => Numbers(protocol);

    /// <summary>The state for the kernel's number. An unknown number becomes <see cref="ConntrackState.Unknown"/> plus the
    /// number.</summary>
    internal static ConntrackState FromKernel(IPProtocol protocol, byte number)
    {
        ConntrackState[] states = Numbers(protocol);
        return number < states.Length ? states[number] : ConntrackState.Unknown | (ConntrackState)number;
    }

    /// <summary>The kernel's number for a state, or null if the protocol has no such state.</summary>
    internal static byte? ToKernel(IPProtocol protocol, ConntrackState state)
    {
        ConntrackState[] states = Numbers(protocol);
        if (state > ConntrackState.Unknown)
            return states.Length > 0 && (byte)(state & ~ConntrackState.Unknown) is var unknown && unknown >= states.Length ? unknown : null;
        int number = Array.IndexOf(states, state);
        return number < 0 ? null : (byte)number;
    }

    /// <summary>Parses a state name in any spelling and any case: <c>SynSent</c>, <c>SYN_SENT</c>, <c>LISTEN</c> for SynSent2. A number is
    /// accepted only for a state without a name, from 129 to 255, because ToString returns it.</summary>
    public static bool TryParse(string text, out ConntrackState state)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (!byte.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out byte number))
            return StateNames.TryParse(text, out state);
        state = (ConntrackState)number;
        return state > ConntrackState.Unknown;
    }

    /// <summary>The phase of a connection in this state.</summary>
    internal static StatePhase PhaseOf(ConntrackState state) => state switch
    {
        ConntrackState.Established or ConntrackState.Open => StatePhase.Open,
        ConntrackState.SynSent or ConntrackState.SynRecv or ConntrackState.SynSent2
            or ConntrackState.CookieWait or ConntrackState.CookieEchoed
            or ConntrackState.Request or ConntrackState.Respond or ConntrackState.PartOpen => StatePhase.Opening,
        _ => StatePhase.Closing,
    };

    private static ConntrackState[] Numbers(IPProtocol protocol) => protocol switch
    {
        IPProtocol.Tcp => Tcp,
        IPProtocol.Sctp => Sctp,
        IPProtocol.Dccp => Dccp,
        _ => [],
    };
}

/// <summary>The only table of state spellings: those of this library, the kernel, libnetfilter_conntrack and older kernels.</summary>
/// <remarks>tcp_conntrack_names, sctp_conntrack_names and dccp_state_names of net/netfilter/nf_conntrack_proto_*.c; states of
/// src/conntrack/proto in libnetfilter_conntrack.</remarks>
internal static class StateNames
{
    /// <summary>The word for an entry without a state.</summary>
    public const string None = "NONE";

    /// <summary>The kernel's name for each state, and its other names.</summary>
    private static readonly (ConntrackState State, string Word, string[] Others)[] Table =
    [
        (ConntrackState.None, None, []),
        (ConntrackState.SynSent, "SYN_SENT", []),
        (ConntrackState.SynRecv, "SYN_RECV", []),
        (ConntrackState.Established, "ESTABLISHED", []),
        (ConntrackState.FinWait, "FIN_WAIT", []),
        (ConntrackState.CloseWait, "CLOSE_WAIT", []),
        (ConntrackState.LastAck, "LAST_ACK", []),
        (ConntrackState.TimeWait, "TIME_WAIT", ["TIMEWAIT"]),
        (ConntrackState.Close, "CLOSE", []),

        // Before Linux 2.6.31, this number was LISTEN. conntrack still accepts that name.
        (ConntrackState.SynSent2, "SYN_SENT2", ["LISTEN"]),
        (ConntrackState.Closed, "CLOSED", []),
        (ConntrackState.CookieWait, "COOKIE_WAIT", []),
        (ConntrackState.CookieEchoed, "COOKIE_ECHOED", []),
        (ConntrackState.ShutdownSent, "SHUTDOWN_SENT", []),
        (ConntrackState.ShutdownRecd, "SHUTDOWN_RECD", []),
        (ConntrackState.ShutdownAckSent, "SHUTDOWN_ACK_SENT", []),
        (ConntrackState.HeartbeatSent, "HEARTBEAT_SENT", []),
        (ConntrackState.HeartbeatAcked, "HEARTBEAT_ACKED", []),
        (ConntrackState.Request, "REQUEST", []),
        (ConntrackState.Respond, "RESPOND", []),
        (ConntrackState.PartOpen, "PARTOPEN", []),
        (ConntrackState.Open, "OPEN", []),
        (ConntrackState.CloseReq, "CLOSEREQ", []),
        (ConntrackState.Closing, "CLOSING", []),
        (ConntrackState.Ignore, "IGNORE", []),
        (ConntrackState.Invalid, "INVALID", []),
    ];

    private static readonly Dictionary<string, ConntrackState> BySpelling = Table
        .SelectMany(row => Spellings(row.Word, row.Others).Select(word => (Word: Plain(word), row.State)))
        .DistinctBy(pair => pair.Word)
        .ToDictionary(pair => pair.Word, pair => pair.State);

    /// <summary>The name of a state, or NONE if it has none, as conntrack prints it.</summary>
    public static string Of(IPProtocol protocol, ConntrackState state)
    {
        if (state == ConntrackState.TimeWait && protocol == IPProtocol.Dccp)
            return "TIMEWAIT";
        return (int)state < Table.Length && Table[(int)state].State == state ? Table[(int)state].Word : None;
    }

    /// <summary>Parses a name as the kernel or conntrack prints it. False if the protocol has no such state.</summary>
    public static bool TryParse(ReadOnlySpan<char> word, IPProtocol protocol, out ConntrackState state)
    {
        foreach ((ConntrackState known, string name, string[] others) in Table)
        {
            if (!word.SequenceEqual(name) && !IsAmong(others, word))
                continue;
            state = known;
            return ConntrackStates.ToKernel(protocol, known) is not null;
        }

        state = default;
        return false;
    }

    /// <summary>Parses user input: any spelling, in any case, with or without underscores.</summary>
    public static bool TryParse(string text, out ConntrackState state) => BySpelling.TryGetValue(Plain(text), out state);

    /// <summary>All spellings of a member of a state enumeration: its own name, and those of the state with that name.</summary>
    public static IEnumerable<string> Spellings(string name) =>
        TryParse(name, out ConntrackState state) && Table[(int)state] is var row ? [name, .. Spellings(row.Word, row.Others)] : [name];

    private static IEnumerable<string> Spellings(string word, string[] others) => [word, .. others];

    private static bool IsAmong(string[] words, ReadOnlySpan<char> word)
    {
        foreach (string other in words)
        {
            if (word.SequenceEqual(other))
                return true;
        }

        return false;
    }

    private static string Plain(string text) => text.Replace("_", "", StringComparison.Ordinal).ToUpperInvariant();
}

/// <summary>The phase of a connection, independent of its protocol.</summary>
internal enum StatePhase
{
    /// <summary>The ends have not completed the handshake.</summary>
    Opening,

    /// <summary>Data may flow both ways.</summary>
    Open,

    /// <summary>It is ending, or has ended.</summary>
    Closing,
}
