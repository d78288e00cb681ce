using System.Diagnostics;
using ConntrackPS.Blocking;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Statistics;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tuning.Persistence;
using ConntrackPS.Tuning.Settings;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>Reads what rules judge by: counters before and after, and the table in between.</summary>
internal sealed class HealthReader(NetworkNamespace? networkNamespace, SystemRoot root)
{
    private readonly PersistedSettings? _persisted = root.HoldsFor(networkNamespace) ? PersistedSettings.Read(root) : null;

    private readonly List<UnreadableSettingException> _unreadable = [];

    /// <summary>Settings and timeouts that could not be read.</summary>
    public IReadOnlyList<UnreadableSettingException> Unreadable => _unreadable;

    public HealthSnapshot Read(TimeSpan sample, CancellationToken stop)
    {
        long? packetsBefore = NetworkNamespace.RunIn(networkNamespace, PacketCount.Read);
        StatReading before = StatReading.Read(networkNamespace);
        IReadOnlyList<ConntrackSetting> settings = new ConntrackSettings(networkNamespace, _persisted).Read(_unreadable.Add);
        IReadOnlyList<ConntrackTimeout> timeouts = new TimeoutDefaults(networkNamespace, _persisted).Read(_unreadable.Add);
        TableSummary table = Summarize(timeouts, stop, out int vainListings);
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
            VainListings = vainListings,
            MemoryBytes = MachineMemory.TotalBytes(),
            EntryBytes = MachineMemory.EntryBytes(),
            Settings = settings.ToDictionary(setting => setting.Definition.FileName, setting => (long)Int128.Clamp(setting.Number, long.MinValue, long.MaxValue)),
            Log = NetworkNamespace.RunIn(networkNamespace, ReadLog),
            Root = root,
            Persisted = PersistedComparison.Ages(settings, root),
            Differences = _persisted is null ? [] : [.. PersistedComparison.Differences(settings, timeouts, _persisted, root)],
            Blocks = BlockSession.ReadIn(NetworkNamespace.ReadIdentity(networkNamespace)),
            Overruled = _persisted is null ? [] : [.. PersistedComparison.Overruled(_persisted, root)],
            Unread = _persisted?.Problems ?? [],
            WithoutEffect = _persisted?.WithoutEffect ?? [],
        };
    }

    private TableSummary Summarize(IReadOnlyList<ConntrackTimeout> timeouts, CancellationToken stop, out int vainListings)
    {
        vainListings = 0;
        TableSummary summary = new(
            TcpTimeout(timeouts, TimeoutState.Established),
            Math.Max(TcpTimeout(timeouts, TimeoutState.Retrans), TcpTimeout(timeouts, TimeoutState.Unacknowledged)));
        using EntryStream stream = new ConntrackTable(networkNamespace).Open();
        using CancellationTokenRegistration registration = stop.Register(stream.Cancel);
        try
        {
            foreach (IReadOnlyList<ConntrackEntry> batch in stream.Batches())
            {
                foreach (ConntrackEntry entry in batch)
                    summary.Add(entry);
            }
        }
        catch (IncompleteListingException exception)
        {
            vainListings = exception.Attempts;
        }

        return summary;
    }

    /// <summary>In seconds; 0 where the kernel has no such timeout.</summary>
    private static long TcpTimeout(IReadOnlyList<ConntrackTimeout> timeouts, TimeoutState state) =>
        timeouts.FirstOrDefault(timeout => timeout.Protocol == TimeoutProtocol.Tcp && timeout.State == state)?.TimeoutSeconds ?? 0;

    /// <summary>Lines that name no namespace are the initial one's, or of an older kernel: then perhaps of any. Where it can't
    /// be known whether this is the initial one, they are not taken for ours.</summary>
    private LogSummary? ReadLog()
    {
        const string Prefix = "net:[";
        string link = new FileInfo("/proc/thread-self/ns/net").LinkTarget ?? "";
        string inode = link.StartsWith(Prefix, StringComparison.Ordinal) ? link[Prefix.Length..^1] : link;
        return LogSummary.Read(inode, () => NamespaceAge.Of(networkNamespace, link), MachineNamespace.IsInitial(null) == true);
    }

    private static void Wait(long started, TimeSpan sample, CancellationToken stop)
    {
        TimeSpan rest = sample - Stopwatch.GetElapsedTime(started);
        if (rest > TimeSpan.Zero && stop.WaitHandle.WaitOne(rest))
            throw new OperationCanceledException(stop);
    }
}
