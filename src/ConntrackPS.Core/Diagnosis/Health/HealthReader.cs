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
    /// <summary>Files hold for the initial namespace, which a named one is not.</summary>
    private readonly PersistedSettings? _persisted = networkNamespace is null ? PersistedSettings.Read(root) : null;

    public HealthSnapshot Read(TimeSpan sample, CancellationToken stop)
    {
        long? packetsBefore = NetworkNamespace.RunIn(networkNamespace, PacketCount.Read);
        StatReading before = StatReading.Read(networkNamespace);
        IReadOnlyList<ConntrackSetting> settings = new ConntrackSettings(networkNamespace, _persisted).Read();
        IReadOnlyList<ConntrackTimeout> timeouts = new TimeoutDefaults(networkNamespace, _persisted).Read();
        TableSummary table = Summarize(timeouts, stop, out int vainListings);
        Wait(before.Timestamp, sample, stop);
        StatReading after = StatReading.Read(networkNamespace);
        return new HealthSnapshot
        {
            Namespace = networkNamespace?.Name,
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
            Settings = settings.ToDictionary(setting => setting.Definition.FileName, setting => setting.Number),
            Log = NetworkNamespace.RunIn(networkNamespace, ReadLog),
            Root = root,
            Persisted = PersistedComparison.Ages(settings, root),
            Differences = _persisted is null ? [] : [.. PersistedComparison.Differences(settings, timeouts, _persisted, root)],
            Blocks = BlockSession.ReadIn(NetworkNamespace.ReadIdentity(networkNamespace)),
            Overruled = _persisted is null ? [] : [.. PersistedComparison.Overruled(_persisted, root)],
            Unread = _persisted?.Problems ?? [],
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

    /// <summary>Lines that name no namespace are the initial one's, or of an older kernel: then perhaps the caller's own.</summary>
    private LogSummary? ReadLog()
    {
        const string Prefix = "net:[";
        string link = new FileInfo("/proc/thread-self/ns/net").LinkTarget ?? "";
        string inode = link.StartsWith(Prefix, StringComparison.Ordinal) ? link[Prefix.Length..^1] : link;
        return LogSummary.Read(inode, DateTime.UtcNow - networkNamespace?.Made, networkNamespace is null || link == LinkOfFirstProcess());
    }

    /// <summary>Null for whoever may not look at other people's processes.</summary>
    private static string? LinkOfFirstProcess()
    {
        try
        {
            return new FileInfo("/proc/1/ns/net").LinkTarget;
        }
        catch (UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static void Wait(long started, TimeSpan sample, CancellationToken stop)
    {
        TimeSpan rest = sample - Stopwatch.GetElapsedTime(started);
        if (rest > TimeSpan.Zero && stop.WaitHandle.WaitOne(rest))
            throw new OperationCanceledException(stop);
    }
}
