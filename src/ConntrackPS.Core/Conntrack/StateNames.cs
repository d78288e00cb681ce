namespace ConntrackPS.Conntrack;

/// <summary>The one table of how states are written: by us, by the kernel, by libnetfilter_conntrack and by older kernels.</summary>
/// <remarks>tcp_conntrack_names, sctp_conntrack_names and dccp_state_names of net/netfilter/nf_conntrack_proto_*.c; states of
/// src/conntrack/proto in libnetfilter_conntrack.</remarks>
internal static class StateNames
{
    private const string None = "NONE";

    /// <summary>The kernel's word for each state, and others that mean it.</summary>
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

        // LISTEN had this number before Linux 2.6.31, and conntrack takes it to this day.
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

    /// <summary>The word for a state; NONE for one that has none, as conntrack prints it.</summary>
    public static string Of(IPProtocol protocol, ConntrackState state)
    {
        if (state == ConntrackState.TimeWait && protocol == IPProtocol.Dccp)
            return "TIMEWAIT";
        return (int)state < Table.Length && Table[(int)state].State == state ? Table[(int)state].Word : None;
    }

    /// <summary>Reads a word as the kernel or conntrack prints it; false where the protocol has no such state.</summary>
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

    /// <summary>Reads a state as a person writes it: any spelling, in any case, with or without underscores.</summary>
    public static bool TryParse(string text, out ConntrackState state) => BySpelling.TryGetValue(Plain(text), out state);

    /// <summary>Every way to write the member of an enumeration of states: its own name, and those of the state of that name.</summary>
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
