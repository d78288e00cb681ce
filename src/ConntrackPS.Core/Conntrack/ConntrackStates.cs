namespace ConntrackPS.Conntrack;

/// <summary>Each protocol's numbers for its states.</summary>
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

    /// <summary>The states a protocol can be in, indexed by the kernel's number; none for a protocol without state.</summary>
    public static IReadOnlyList<ConntrackState> Of(IPProtocol protocol) => Numbers(protocol);

    /// <summary>The state behind the kernel's number; a number unknown here becomes <see cref="ConntrackState.Unknown"/> plus it.</summary>
    public static ConntrackState FromKernel(IPProtocol protocol, byte number)
    {
        ConntrackState[] states = Numbers(protocol);
        return number < states.Length ? states[number] : ConntrackState.Unknown | (ConntrackState)number;
    }

    /// <summary>The kernel's number for a state, or null where the protocol has no such state.</summary>
    public static byte? ToKernel(IPProtocol protocol, ConntrackState state)
    {
        if (state > ConntrackState.Unknown)
            return (byte)(state & ~ConntrackState.Unknown);
        int number = Array.IndexOf(Numbers(protocol), state);
        return number < 0 ? null : (byte)number;
    }

    /// <summary>Reads a state by its name or any other spelling: <c>SynSent</c>, <c>SYN_SENT</c>, <c>LISTEN</c> for SynSent2, in any case.
    /// Numbers are no names.</summary>
    public static bool TryParse(string text, out ConntrackState state)
    {
        ArgumentNullException.ThrowIfNull(text);
        return StateNames.TryParse(text, out state);
    }

    /// <summary>How far a connection in this state has come.</summary>
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

/// <summary>How far a connection has come, whatever its protocol calls that.</summary>
internal enum StatePhase
{
    /// <summary>The ends have not agreed yet.</summary>
    Opening,

    /// <summary>Data may flow both ways.</summary>
    Open,

    /// <summary>It is ending, or has ended.</summary>
    Closing,
}
