using ConntrackPS.Conntrack;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>Finds a full or nearly full table.</summary>
internal sealed class TableFillRule : IHealthRule
{
    private const double Full = 0.98;
    private const double NearlyFull = 0.8;

    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        if (snapshot.Fill < NearlyFull)
            yield break;
        bool isFull = snapshot.Fill >= Full;
        yield return snapshot.Finding(
            isFull ? FindingSeverity.Critical : FindingSeverity.Warning,
            isFull ? "TableFull" : "TableNearlyFull",
            $"Entries: {Figures.Share(snapshot.Count, snapshot.Maximum)} of nf_conntrack_max.",
            isFull
                ? "The table is full: the kernel drops packets of new connections, unless it can delete an unanswered entry to make room."
                : "When the table is full, the kernel drops packets of new connections. Raise the maximum, or find out which host fills the table.",
            snapshot.RaiseMaximum());
    }
}

/// <summary>Finds packets that are being dropped, and entries that are being deleted to make room.</summary>
internal sealed class DropRule : IHealthRule
{
    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        if (snapshot.Counted[Counter.Drop] is > 0 and ulong dropped)
        {
            yield return snapshot.Finding(
                FindingSeverity.Critical,
                "PacketsDropped",
                $"Packets dropped: {Figures.In(dropped, snapshot.Sample)}; entries: {Figures.Share(snapshot.Count, snapshot.Maximum)}.",
                "The kernel drops packets of new connections: the table is full, memory is low, or two packets opened the same connection.",
                snapshot.RaiseMaximum());
        }

        if (snapshot.Counted[Counter.EarlyDrop] is > 0 and ulong early)
        {
            yield return snapshot.Finding(
                FindingSeverity.Warning,
                "EarlyDrop",
                $"Entries dropped early: {Figures.In(early, snapshot.Sample)}.",
                "The table is full. The kernel deletes entries that are not assured, such as unanswered ones, to make room for new ones.",
                snapshot.RaiseMaximum());
        }
    }
}

/// <summary>Finds clashes of connections: two packets need the same place in the table.</summary>
internal sealed class InsertFailedRule : IHealthRule
{
    /// <summary>The number of resolved clashes per second that is worth a finding.</summary>
    private const int ManyClashes = 100;

    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        ulong failed = snapshot.Counted[Counter.InsertFailed] ?? 0, resolved = snapshot.Counted[Counter.ClashResolve] ?? 0;
        if (failed > 0)
        {
            yield return snapshot.Finding(
                FindingSeverity.Warning,
                "InsertFailed",
                $"Entries not inserted: {Figures.In(failed, snapshot.Sample)}; clashes resolved: {Figures.Of((long)resolved)}.",
                "Packets were dropped because another entry already had their tuple. Typical causes: a resolver that sends two requests from one port at the same time, or too few ports for NAT (nft: masquerade fully-random).",
                new Remedy.ShowCounters(snapshot.Namespace));
        }
        else if (resolved > snapshot.Sample.TotalSeconds * ManyClashes)
        {
            yield return snapshot.Finding(
                FindingSeverity.Information,
                "Clashes",
                $"Clashes resolved: {Figures.In(resolved, snapshot.Sample)}.",
                "Two packets often open the same connection at the same time. The kernel resolved this; no packet was lost.",
                new Remedy.ShowCounters(snapshot.Namespace));
        }
    }
}

/// <summary>Finds a maximum that does not fit the machine's memory.</summary>
internal sealed class MaximumRule : IHealthRule
{
    /// <summary>The maximum share of memory for a full table.</summary>
    private const double MemoryShare = 0.5;

    /// <summary>A maximum below the rule of thumb matters only above this fill.</summary>
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
                "A flood could fill the memory with entries before the table reaches its maximum. The kernel would then kill processes.",
                snapshot.Set("Maximum", Math.Max(1, snapshot.AffordableMaximum() ?? rule), scaleBucket: true));
        }
        else if (snapshot.Maximum < rule && snapshot.Fill >= WorthRaising)
        {
            yield return snapshot.Finding(
                FindingSeverity.Warning,
                "MaximumTooSmall",
                Evidence(snapshot, memory, rule),
                "The table is filling up, and the machine has enough memory for a larger one.",
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

/// <summary>Finds a hash table size that does not fit the maximum.</summary>
internal sealed class BucketRule : IHealthRule
{
    /// <summary>Entries per bucket at the maximum: kernels used 4 before 5.15, and 1 since then. Each entry is in two chains.</summary>
    private const int MostEntries = 4;

    /// <summary>Buckets per entry at the maximum. More are useless.</summary>
    private const int MostBuckets = 4;

    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        if (snapshot.Maximum == 0 || snapshot.Buckets == 0)
            yield break;
        if (snapshot.Counted[Counter.ChainTooLong] is > 0 and ulong refused)
        {
            yield return snapshot.Finding(
                FindingSeverity.Critical,
                "ChainTooLong",
                FormattableString.Invariant($"Entries refused for a long hash chain: {Figures.In(refused, snapshot.Sample)}; chains of {2.0 * snapshot.Count / snapshot.Buckets:0.#} entries on average, buckets {Figures.Of(snapshot.Buckets)}."),
                "The kernel drops packets of new connections because their hash bucket has too many entries.",
                snapshot.Set("Buckets", Math.Max(snapshot.Maximum, snapshot.Buckets * 2)));
        }
        else if (snapshot.Maximum > snapshot.Buckets * MostEntries)
        {
            yield return HealthSnapshot.MachineFinding(
                FindingSeverity.Warning,
                "TooFewBuckets",
                Evidence(snapshot),
                "Long hash chains slow down every packet. Newer kernels refuse new entries in the longest chains.",
                Mend(snapshot));
        }
        else if (snapshot.Buckets > snapshot.Maximum * MostBuckets)
        {
            yield return HealthSnapshot.MachineFinding(
                FindingSeverity.Information,
                "TooManyBuckets",
                Evidence(snapshot),
                "Most of the hash table is empty. This wastes memory, and listing the table takes longer.",
                Mend(snapshot));
        }
    }

    /// <summary>One bucket per entry. If the maximum is too large for the memory, one for each entry that fits.</summary>
    private static Remedy Mend(HealthSnapshot snapshot) =>
        snapshot.Set("Buckets", Math.Max(1, Math.Min(snapshot.Maximum, snapshot.AffordableMaximum() ?? snapshot.Maximum)));

    private static string Evidence(HealthSnapshot snapshot) =>
        FormattableString.Invariant($"nf_conntrack_max {Figures.Of(snapshot.Maximum)}, buckets {Figures.Of(snapshot.Buckets)}: a full table has chains of {2.0 * snapshot.Maximum / snapshot.Buckets:0.#} entries.");
}

/// <summary>Finds a hash table that was resized repeatedly while it was listed.</summary>
internal sealed class ResizeRule : IHealthRule
{
    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        if (snapshot.IncompleteListings > 0)
        {
            yield return HealthSnapshot.MachineFinding(
                FindingSeverity.Warning,
                "TableResized",
                $"Listings of the table: {Figures.Of(snapshot.IncompleteListings)}, and the hash table was resized during each; buckets {Figures.Of(snapshot.Buckets)}.",
                "Something sets nf_conntrack_buckets again and again. Each time packets wait until every entry has been moved, and listings lose entries: findings about entries rest on a part of the table.",
                new Remedy.ShowSetting("Buckets"));
        }
    }
}
