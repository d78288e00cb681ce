namespace ConntrackPS.Alerts;

/// <summary>The kind of an alert.</summary>
public enum AlertKind
{
    /// <summary>The table fills up.</summary>
    Fill,

    /// <summary>Packets or entries are dropped.</summary>
    Drop,

    /// <summary>The health check finds a problem.</summary>
    Finding,

    /// <summary>The values can't be read, for example because the network namespace is gone.</summary>
    Reading,
}

/// <summary>The state of an alert.</summary>
public enum AlertState
{
    /// <summary>The problem began.</summary>
    Raised,

    /// <summary>The problem is over.</summary>
    Cleared,
}

/// <summary>A message that a problem of connection tracking began, or that it is over. There is one of each for every problem, however
/// long it lasts.</summary>
public sealed class ConntrackAlert
{
    internal ConntrackAlert(AlertKind kind, AlertState state, DateTime time, string evidence, string? networkNamespace) =>
        (Kind, State, Time, Evidence, Namespace) = (kind, state, time, evidence, networkNamespace);

    /// <summary>The time of the reading that showed it, local time.</summary>
    public DateTime Time { get; }

    /// <summary>Raised or Cleared.</summary>
    public AlertState State { get; }

    /// <summary>The kind.</summary>
    public AlertKind Kind { get; }

    /// <summary>For Fill the fill in percent, for Drop the drops: since the last reading if raised, since the alert began if cleared. Null for
    /// the other kinds, and if the table has no maximum.</summary>
    public double? Value { get; internal init; }

    /// <summary>For Fill the limit in percent that was passed. Null for the other kinds.</summary>
    public double? Limit { get; internal init; }

    /// <summary>The name of the finding, such as HalfOpenFlood. Null for the other kinds.</summary>
    public string? Finding { get; internal init; }

    /// <summary>The values that show the problem, or its end.</summary>
    public string Evidence { get; }

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; }

    /// <summary>On one line: <c>Raised Fill: 210000 of 262144 entries, 80.11 %, above 80 %</c>.</summary>
    public override string ToString() =>
        $"{State} {(Finding is null ? Kind.ToString() : $"{Kind} {Finding}")}{(Namespace is null ? "" : $" in {Namespace}")}: {Evidence}";
}
