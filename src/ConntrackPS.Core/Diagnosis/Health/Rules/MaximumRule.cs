using ConntrackPS.Conntrack;

namespace ConntrackPS.Diagnosis.Health.Rules;

/// <summary>The maximum suits the machine's memory badly.</summary>
internal sealed class MaximumRule : IHealthRule
{
    /// <summary>A full table may take this share of the memory.</summary>
    private const double MemoryShare = 0.5;

    /// <summary>A maximum below the field rule matters only where the table fills.</summary>
    private const double WorthRaising = 0.5;

    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        if (snapshot is not { MemoryBytes: { } memory, FieldRuleMaximum: { } rule } || snapshot.Maximum == 0)
            yield break;
        if (snapshot.MaximumBytes > memory * MemoryShare)
        {
            yield return HealthSnapshot.MachineFinding(
                FindingSeverity.Warning,
                "MaximumTooBig",
                Evidence(snapshot, memory, rule),
                "A flood could fill the memory with entries before it reaches the maximum, and the machine would kill processes.",
                snapshot.Set("Maximum", Math.Max(1, snapshot.AffordableMaximum() ?? rule), scaleBucket: true));
        }
        else if (snapshot.Maximum < rule && snapshot.Fill >= WorthRaising)
        {
            yield return snapshot.Finding(
                FindingSeverity.Warning,
                "MaximumTooSmall",
                Evidence(snapshot, memory, rule),
                "The table fills, and the machine has the memory for a larger one.",
                snapshot.SetMaximum(Math.Min(rule, snapshot.AffordableMaximum() ?? rule)));
        }
    }

    private static string Evidence(HealthSnapshot snapshot, long memory, long rule)
    {
        string size = snapshot.EntryBytes is { } bytes ? $"{bytes} bytes an entry by /proc/slabinfo" : $"{EntryMemory.DefaultEntryBytes} bytes an entry, as usual";
        return $"nf_conntrack_max is {Figures.Of(snapshot.Maximum)}, up to {Figures.Mebibytes(snapshot.MaximumBytes)} of {Figures.Mebibytes(memory)} of memory "
            + $"({size}, and {EntryMemory.ExtensionBytes} for extensions); the field rule of 65,536 per GB gives {Figures.Of(rule)}.";
    }
}
