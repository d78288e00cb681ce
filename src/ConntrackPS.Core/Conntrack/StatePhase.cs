namespace ConntrackPS.Conntrack;

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
