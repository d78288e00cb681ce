using System.Diagnostics;
using System.Globalization;
using ConntrackPS.Blocking;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Rules;
using ConntrackPS.Tuning.Persistence;
using ConntrackPS.Tuning.Settings;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>All values that the rules check. Null if a value could not be read.</summary>
internal sealed record HealthSnapshot
{
    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; init; }

    /// <summary>True if the next boot configures this namespace with the files below <see cref="Root"/>.</summary>
    public bool IsSetByBoot { get; init; } = true;

    /// <summary>The place where machine-wide values can be set.</summary>
    public MachinePlace MachinePlace { get; init; }

    /// <summary>nf_conntrack_count.</summary>
    public long Count { get; init; }

    /// <summary>nf_conntrack_max; 0 for no limit.</summary>
    public long Maximum { get; init; }

    /// <summary>nf_conntrack_buckets.</summary>
    public long Buckets { get; init; }

    /// <summary>The counters during the sample.</summary>
    public CounterValues Counted { get; init; } = new();

    /// <summary>The length of the sample.</summary>
    public TimeSpan Sample { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>IP packets received during the sample.</summary>
    public long? Packets { get; init; }

    /// <summary>The sums over the table's entries.</summary>
    public TableSummary Table { get; init; } = new(0, 0);

    /// <summary>The number of incomplete listings, or 0 if one was complete.</summary>
    public int IncompleteListings { get; init; }

    /// <summary>The machine's memory, in bytes.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>The size of an entry in its slab cache, in bytes.</summary>
    public int? EntryBytes { get; init; }

    /// <summary>Settings by file name, such as nf_conntrack_acct.</summary>
    public IReadOnlyDictionary<string, long> Settings { get; init; } = new Dictionary<string, long>();

    /// <summary>The relevant lines of the kernel log.</summary>
    public LogSummary? Log { get; init; }

    /// <summary>Values that the next boot will change.</summary>
    public IReadOnlyList<PersistedDifference> Differences { get; init; } = [];

    /// <summary>The file system with the files that configure the next boot.</summary>
    public SystemRoot Root { get; init; } = new();

    /// <summary>The age of our file, for each parameter that it sets to the current value.</summary>
    public IReadOnlyDictionary<string, TimeSpan> Persisted { get; init; } = new Dictionary<string, TimeSpan>();

    /// <summary>Lines of our file that another file overrides.</summary>
    public IReadOnlyList<OverruledLine> Overruled { get; init; } = [];

    /// <summary>Problems with reading the boot files, one sentence each.</summary>
    public IReadOnlyList<string> Unread { get; init; } = [];

    /// <summary>Lines of those files without effect, one sentence each.</summary>
    public IReadOnlyList<string> WithoutEffect { get; init; } = [];

    /// <summary>The blocks that this process holds in this namespace.</summary>
    public IReadOnlyList<ConntrackBlock> Blocks { get; init; } = [];

    /// <summary>The rules for traffic of this process, and the persisted ones.</summary>
    public IReadOnlyList<ConntrackRule> Rules { get; init; } = [];

    /// <summary>The fill of the table, 0 to 1. 0 if there is no limit.</summary>
    public double Fill => Maximum == 0 ? 0 : (double)Count / Maximum;

    /// <summary>The memory of a full table, in bytes.</summary>
    public long MaximumBytes => EntryMemory.Estimate(Maximum, Buckets, EntryBytes ?? EntryMemory.DefaultEntryBytes);

    /// <summary>The rule of thumb: 65,536 entries per GiB, which is also how the kernel sizes its hash table.</summary>
    public long? FieldRuleMaximum => MemoryBytes / 16384;

    /// <summary>A finding about values that all network namespaces share.</summary>
    public static HealthFinding MachineFinding(FindingSeverity severity, string name, string evidence, string explanation, params Remedy[] remedies) =>
        new(severity, name, evidence, explanation, remedies);

    /// <summary>A finding about this network namespace.</summary>
    public HealthFinding Finding(FindingSeverity severity, string name, string evidence, string explanation, params Remedy[] remedies) =>
        new(severity, name, evidence, explanation, remedies, Namespace);
}

/// <summary>Reads the values for the rules: counters before and after, and the table in between.</summary>
/// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
/// <param name="root">The file system with the files that configure the next boot.</param>
/// <param name="engine">The way to read the table.</param>
/// <param name="listener">Receives each entry too, so that a caller who counts entries need not list them again.</param>
internal sealed class HealthReader(
    NetworkNamespace? networkNamespace, SystemRoot root, TableEngine engine = ConntrackTable.DefaultEngine, IEntryListener? listener = null)
{
    private readonly ConntrackTable _table = new(networkNamespace) { Engine = engine };

    private readonly PersistedSettings? _persisted = root.HoldsFor(networkNamespace) ? PersistedSettings.Read(root) : null;

    private readonly List<UnreadableSettingException> _unreadable = [];

    /// <summary>Settings and timeouts that could not be read.</summary>
    public IReadOnlyList<UnreadableSettingException> Unreadable => _unreadable;

    /// <summary>How the table was read.</summary>
    public string? EngineNote => _table.EngineNote;

    /// <summary>True after the table was listed completely.</summary>
    public bool HasWholeTable { get; private set; }

    public HealthSnapshot Read(TimeSpan sample, CancellationToken stop)
    {
        long? packetsBefore = NetworkNamespace.RunIn(networkNamespace, PacketCount.Read);
        StatReading before = StatReading.Read(networkNamespace);
        IReadOnlyList<ConntrackSetting> settings = new ConntrackSettings(networkNamespace, _persisted).Read(_unreadable.Add);
        IReadOnlyList<ConntrackTimeout> timeouts = new TimeoutDefaults(networkNamespace, _persisted).Read(_unreadable.Add);
        TableSummary table = Summarize(timeouts, stop, out int incompleteListings);
        Wait(before.Timestamp, sample, stop);
        StatReading after = StatReading.Read(networkNamespace);
        return new HealthSnapshot
        {
            Namespace = networkNamespace?.Name,
            IsSetByBoot = _persisted is not null,
            MachinePlace = MachineNamespace.Place(),
            Count = after.Count,
            Maximum = after.Maximum,
            Buckets = after.Buckets,
            Counted = CounterValues.Since(before.Processors, after.Processors),
            Sample = Stopwatch.GetElapsedTime(before.Timestamp, after.Timestamp),
            Packets = NetworkNamespace.RunIn(networkNamespace, PacketCount.Read) - packetsBefore,
            Table = table,
            IncompleteListings = incompleteListings,
            MemoryBytes = MachineMemory.TotalBytes(),
            EntryBytes = MachineMemory.EntryBytes(),
            Settings = settings.ToDictionary(setting => setting.Definition.FileName, setting => (long)Int128.Clamp(setting.Number, long.MinValue, long.MaxValue)),
            Log = NetworkNamespace.RunIn(networkNamespace, ReadLog),
            Root = root,
            Persisted = PersistedComparison.Ages(settings, root),
            Differences = _persisted is null ? [] : [.. PersistedComparison.Differences(settings, timeouts, _persisted, root)],
            Rules = [.. new RuleBook(networkNamespace, root).Read().Where(rule => rule.ProcessId is null || rule.ProcessId == Environment.ProcessId)],
            Blocks = BlockSession.ReadIn(NetworkNamespace.ReadIdentity(networkNamespace)),
            Overruled = _persisted is null ? [] : [.. PersistedComparison.Overruled(_persisted, root)],
            Unread = _persisted?.Problems ?? [],
            WithoutEffect = _persisted?.WithoutEffect ?? [],
        };
    }

    private TableSummary Summarize(IReadOnlyList<ConntrackTimeout> timeouts, CancellationToken stop, out int incompleteListings)
    {
        incompleteListings = 0;
        SummarySink sink = new(
            TcpTimeout(timeouts, TimeoutState.Established),
            Math.Max(TcpTimeout(timeouts, TimeoutState.Retrans), TcpTimeout(timeouts, TimeoutState.Unacknowledged)),
            listener);
        using IEntryScan scan = _table.Scan(null, sink);
        try
        {
            scan.ReadToEnd(stop);
            HasWholeTable = true;
        }
        catch (IncompleteListingException exception)
        {
            incompleteListings = exception.Attempts;
        }

        return sink.Summary;
    }

    /// <summary>In seconds. 0 if the kernel does not have the timeout.</summary>
    private static long TcpTimeout(IReadOnlyList<ConntrackTimeout> timeouts, TimeoutState state) =>
        timeouts.FirstOrDefault(timeout => timeout.Protocol == TimeoutProtocol.Tcp && timeout.State == state)?.TimeoutSeconds ?? 0;

    /// <summary>Log lines without a namespace are about the initial one. On older kernels they may be about any. If it is unknown whether
    /// this is the initial one, such lines are ignored.</summary>
    private LogSummary? ReadLog()
    {
        string identity = NetworkNamespace.ReadIdentity(null);
        string inode = identity["net:[".Length..^1];
        return LogSummary.Read(inode, () => NamespaceAge.Of(networkNamespace, identity), MachineNamespace.IsInitial(null) == true);
    }

    private static void Wait(long started, TimeSpan sample, CancellationToken stop)
    {
        TimeSpan rest = sample - Stopwatch.GetElapsedTime(started);
        if (rest > TimeSpan.Zero && stop.WaitHandle.WaitOne(rest))
            throw new OperationCanceledException(stop);
    }
}

/// <summary>The machine's memory, and the size of an entry.</summary>
internal static class MachineMemory
{
    private const string MemoryFile = "/proc/meminfo";
    private const string SlabFile = "/proc/slabinfo";
    private const string CacheName = "nf_conntrack";

    /// <summary>The total memory in bytes (MemTotal of /proc/meminfo), or null if it can't be read.</summary>
    public static long? TotalBytes() => TryRead(MemoryFile) is { } lines ? ParseTotal(lines) : null;

    /// <summary>Bytes of an entry in its slab cache, including its share of unused space in the pages. Null if /proc/slabinfo can't be
    /// read: only root may.</summary>
    public static int? EntryBytes() => TryRead(SlabFile) is { } lines ? ParseEntry(lines, Environment.SystemPageSize) : null;

    internal static long? ParseTotal(IEnumerable<string> lines) =>
        lines.FirstOrDefault(line => line.StartsWith("MemTotal:", StringComparison.Ordinal)) is { } line
            && Words(line) is [_, { } kibibytes, ..] && long.TryParse(kibibytes, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? number * 1024
            : null;

    /// <summary>Columns of slabinfo(5): name, active objects, objects, object size, objects per slab, pages per slab.</summary>
    internal static int? ParseEntry(IEnumerable<string> lines, int pageSize)
    {
        // The cache for expectations has a name with the same prefix.
        if (lines.Select(Words).FirstOrDefault(words => words is [CacheName, _, _, _, _, _, ..]) is not { } words)
            return null;
        int? perSlab = Number(words[4]);
        return perSlab > 0 ? Number(words[5]) * pageSize / perSlab : Number(words[3]);
    }

    private static string[]? TryRead(string file)
    {
        try
        {
            return File.ReadAllLines(file);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string[] Words(string line) => line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    private static int? Number(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;
}

/// <summary>The number of received IP packets, of both families.</summary>
/// <remarks>Ip InReceives of /proc/net/snmp (RFC 1213, ipInReceives) and Ip6InReceives of /proc/net/snmp6.</remarks>
internal static class PacketCount
{
    private const string Directory = "/proc/thread-self/net/";

    /// <summary>The number in the thread's network namespace. Null if the kernel does not report it.</summary>
    public static long? Read() =>
        File.Exists(Directory + "snmp")
            ? Parse(File.ReadAllLines(Directory + "snmp"), File.Exists(Directory + "snmp6") ? File.ReadAllLines(Directory + "snmp6") : [])
            : null;

    internal static long? Parse(string[] snmp, string[] snmp6)
    {
        // A line of names, then a line of values.
        string[][] lines = [.. snmp.Where(line => line.StartsWith("Ip:", StringComparison.Ordinal)).Select(line => line.Split(' '))];
        if (lines is not [string[] names, string[] values] || Array.IndexOf(names, "InReceives") is not (> 0 and int column) || column >= values.Length)
            return null;
        string? six = Array.Find(snmp6, line => line.StartsWith("Ip6InReceives", StringComparison.Ordinal));
        return Number(values[column]) + (six is null ? 0 : Number(six.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[^1]));
    }

    private static long? Number(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : null;
}
