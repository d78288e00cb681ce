using ConntrackPS.Blocking;
using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis.Statistics;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>All the figures that rules judge by. Null: it could not be read.</summary>
internal sealed record HealthSnapshot
{
    /// <summary>Where, as the user named it; null for the caller's own network namespace.</summary>
    public string? Namespace { get; init; }

    /// <summary>Whether the next boot sets this namespace up by the files below <see cref="Root"/>.</summary>
    public bool IsSetByBoot { get; init; } = true;

    /// <summary>Where what all network namespaces share can be set.</summary>
    public MachinePlace MachinePlace { get; init; }

    /// <summary>nf_conntrack_count.</summary>
    public long Count { get; init; }

    /// <summary>nf_conntrack_max; 0 for no limit.</summary>
    public long Maximum { get; init; }

    /// <summary>nf_conntrack_buckets.</summary>
    public long Buckets { get; init; }

    /// <summary>What was counted during the sample.</summary>
    public CounterValues Counted { get; init; } = new();

    /// <summary>The sample's length.</summary>
    public TimeSpan Sample { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>IP packets that came in during the sample.</summary>
    public long? Packets { get; init; }

    /// <summary>The table's entries, summed up.</summary>
    public TableSummary Table { get; init; } = new(0, 0);

    /// <summary>How often the table was listed without one listing that was whole; 0 where one was.</summary>
    public int VainListings { get; init; }

    /// <summary>The machine's memory, in bytes.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>What an entry takes in its slab cache, in bytes.</summary>
    public int? EntryBytes { get; init; }

    /// <summary>Settings by their file's name, such as nf_conntrack_acct.</summary>
    public IReadOnlyDictionary<string, long> Settings { get; init; } = new Dictionary<string, long>();

    /// <summary>What the kernel's log says.</summary>
    public LogSummary? Log { get; init; }

    /// <summary>Values that the next boot will set otherwise.</summary>
    public IReadOnlyList<PersistedDifference> Differences { get; init; } = [];

    /// <summary>Where the files are that say what the next boot sets.</summary>
    public SystemRoot Root { get; init; } = new();

    /// <summary>How long ago our file was written, by the parameters that it sets to what they are now.</summary>
    public IReadOnlyDictionary<string, TimeSpan> Persisted { get; init; } = new Dictionary<string, TimeSpan>();

    /// <summary>Lines of ours that another file overrules.</summary>
    public IReadOnlyList<OverruledLine> Overruled { get; init; } = [];

    /// <summary>What of the files that boot reads could not be read, one sentence each.</summary>
    public IReadOnlyList<string> Unread { get; init; } = [];

    /// <summary>Lines of those files that set nothing, whatever their writer hoped, one sentence each.</summary>
    public IReadOnlyList<string> WithoutEffect { get; init; } = [];

    /// <summary>The blocks that this process holds here.</summary>
    public IReadOnlyList<ConntrackBlock> Blocks { get; init; } = [];

    /// <summary>How full the table is, 0 to 1; 0 without a limit.</summary>
    public double Fill => Maximum == 0 ? 0 : (double)Count / Maximum;

    /// <summary>What the maximum would take in memory, in bytes.</summary>
    public long MaximumBytes => EntryMemory.Estimate(Maximum, Buckets, EntryBytes ?? EntryMemory.DefaultEntryBytes);

    /// <summary>The field rule: 65,536 entries for each GiB, the kernel's own way to size its hash table.</summary>
    public long? FieldRuleMaximum => MemoryBytes / 16384;

    /// <summary>A finding about what all network namespaces share.</summary>
    public static HealthFinding MachineFinding(FindingSeverity severity, string name, string evidence, string explanation, params Remedy[] remedies) =>
        new(severity, name, evidence, explanation, remedies);

    /// <summary>A finding in this network namespace.</summary>
    public HealthFinding Finding(FindingSeverity severity, string name, string evidence, string explanation, params Remedy[] remedies) =>
        new(severity, name, evidence, explanation, remedies, Namespace);
}
