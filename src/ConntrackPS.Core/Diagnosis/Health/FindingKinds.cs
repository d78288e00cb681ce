using static ConntrackPS.Diagnosis.Health.FindingSeverity;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>A finding that the rules can make.</summary>
/// <param name="Name">Its stable name.</param>
/// <param name="Severities">Its severities. Most have one.</param>
internal sealed record FindingKind(string Name, params FindingSeverity[] Severities);

/// <summary>All findings that the rules can make. Monitoring needs their names before the first one is found.</summary>
internal static class FindingKinds
{
    /// <summary>All findings but Healthy, which is not a problem.</summary>
    public static IReadOnlyList<FindingKind> All { get; } =
    [
        new("TableFull", Critical),
        new("TableNearlyFull", Warning),
        new("PacketsDropped", Critical),
        new("EarlyDrop", Warning),
        new("TableFullLogged", Warning, Information),
        new("ExpectationTableFull", Warning, Information),
        new("MaximumTooBig", Warning),
        new("MaximumTooSmall", Warning),
        new("ChainTooLong", Critical),
        new("TooFewBuckets", Warning),
        new("TooManyBuckets", Information),
        new("TableResized", Warning),
        new("HalfOpenFlood", Warning),
        new("Unreplied", Warning),
        new("SourceShare", Warning),
        new("IdleEstablished", Warning),
        new("InsertFailed", Warning),
        new("Clashes", Information),
        new("InvalidPackets", Warning),
        new("PersistedDiffers", Warning),
        new("PersistedElsewhere", Warning),
        new("PersistedWithoutEffect", Warning),
        new("PersistedUnread", Warning),
        new("AutomaticHelper", Warning),
        new("HelperInUse", Information),
        new("AccountingOff", Information),
        new("TimestampOff", Information),
        new("EventsOff", Information),
        new("EventsAuto", Information),
        new("BlockLost", Warning),
        new("BlockNotInForce", Critical),
        new("RuleNotInForce", Critical, Warning),
        new("RuleLost", Warning),
    ];

    /// <summary>The names, for messages.</summary>
    public static string Choices => string.Join(", ", All.Select(kind => kind.Name));
}
