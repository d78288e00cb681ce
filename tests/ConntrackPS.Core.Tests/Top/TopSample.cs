using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Tests.Top;

/// <summary>Snapshots with fixed values.</summary>
internal static class TopSample
{
    /// <summary>Entries of all kinds, with counters and rates.</summary>
    public static TopSnapshot Mixed() => Make(
        [
            Counted(Entries.Tcp("192.0.2.1", 40001, "198.51.100.7", 443).WithState(ConntrackState.Established), 1200, 1_500_000, ConntrackStatus.SeenReply | ConntrackStatus.Assured),
            Counted(Entries.Tcp("192.0.2.1", 40002, "198.51.100.7", 80).WithState(ConntrackState.TimeWait), 12, 2_400, ConntrackStatus.SeenReply | ConntrackStatus.Assured),
            Counted(Entries.Tcp("10.1.2.5", 50005, "198.51.100.20", 8443).WithState(ConntrackState.Established).WithSourceNat("203.0.113.9", 61000), 90_000, 120_000_000, ConntrackStatus.SeenReply),
            Counted(Entries.Tcp("203.0.113.50", 60006, "203.0.113.9", 8080).WithState(ConntrackState.SynSent).WithDestinationNat("10.1.2.80", 80), 1, 60, ConntrackStatus.None),
            Counted(Entries.Udp("192.0.2.33", 5353, "198.51.100.53", 53), 2, 180, ConntrackStatus.SeenReply),
            Counted(Entries.Icmp("192.0.2.3", "198.51.100.7", 8, 0, 4660), 7, 588, ConntrackStatus.SeenReply),
            Counted(Entries.Make(IPProtocol.Gre, "192.0.2.6", 80, "198.51.100.6", 81), 3, 300, ConntrackStatus.None),
            Counted(Entries.Generic(IPProtocol.Ospf, "192.0.2.7", "198.51.100.9"), 4, 400, ConntrackStatus.None),
            Counted(Entries.Udp("127.0.0.1", 40000, "127.0.0.53", 53), 2, 130, ConntrackStatus.None),
        ]);

    /// <summary>IPv6 addresses, from the shortest to the longest.</summary>
    public static TopSnapshot IPv6() => Make(
        [
            Counted(Entries.Tcp("2001:db8::1", 40001, "2001:db8:1::7", 443).WithState(ConntrackState.Established), 5, 5000, ConntrackStatus.SeenReply),
            Counted(Entries.Udp("2001:db8:1111:2222:3333:4444:5555:6666", 1024, "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", 65535), 6, 6000, ConntrackStatus.None),
            Counted(Entries.Icmp("::1", "2001:db8::2", 128, 0, 22136), 7, 7000, ConntrackStatus.SeenReply),
            Counted(Entries.Tcp("192.0.2.1", 1, "198.51.100.7", 22).WithState(ConntrackState.SynRecv), 8, 8000, ConntrackStatus.None),
        ]);

    /// <summary>No entries.</summary>
    public static TopSnapshot Empty() => Make([]);

    /// <summary>This number of entries from a few sources, without counters.</summary>
    public static TopSnapshot Many(int count) => Make(
        Enumerable.Range(0, count).Select(i =>
        {
            ConntrackEntry entry = i % 3 == 0
                ? Entries.Udp($"10.0.{i % 5}.{i % 250}", 1024 + i % 60_000, $"198.51.100.{i % 200}", 53)
                : Entries.Tcp($"10.0.{i % 5}.{i % 250}", 1024 + i % 60_000, $"198.51.100.{i % 200}", 443).WithState((ConntrackState)(1 + i % 9));
            entry.Data.Timeout = (uint)(i * 37 % 432_000);
            entry.Mark = (uint)(i % 4);
            return entry;
        }));

    /// <summary>A session that ends with a snapshot: the table fills, and drops packets at its peak.</summary>
    public static TopHistory Session(TopSnapshot last, int count)
    {
        TopHistory history = new();
        for (int i = 1; i <= count; i++)
        {
            double wave = 1 + Math.Sin(i / 25.0), peak = Math.Max(0, wave - 1.7);
            history.Add(new TopSnapshot
            {
                Time = last.Time.AddSeconds(i - count),
                TableCount = (long)(600 + 400 * wave),
                TableMaximum = 262_144,
                Seconds = i == 1 ? null : 1,
                Began = (int)(40 * wave),
                DropPerSecond = i == 1 ? null : Math.Round(peak * 20),
                TopSources = [KeyValuePair.Create("192.0.2.1", (long)(300 * wave)), KeyValuePair.Create("2001:db8:1111:2222:3333:4444:5555:6666", 25L + i % 7)],
            });
        }

        return history;
    }

    public static TopSnapshot Make(IEnumerable<ConntrackEntry> entries, ConntrackFilter? filter = null)
    {
        TopSnapshot snapshot = new()
        {
            Filter = filter ?? new ConntrackFilter(),
            Time = new DateTime(2026, 11, 20, 12, 34, 56, DateTimeKind.Local),
            Seconds = 2,
            TableMaximum = 262_144,
        };
        uint id = 100;
        foreach (ConntrackEntry entry in entries)
        {
            entry.Data.Id = id++;
            entry.Fields |= EntryFields.Id;
            ref TopEntry added = ref snapshot.Entries.Add();
            added.Take(entry);
            (added.MovedPackets, added.MovedBytes) = (added.Packets / 10, added.Bytes / 10);
            snapshot.Totals.Add(added);
        }

        snapshot.TableCount = snapshot.Entries.Count + 1000;
        return snapshot;
    }

    private static ConntrackEntry Counted(ConntrackEntry entry, ulong packets, ulong bytes, ConntrackStatus status)
    {
        entry.Status |= status;
        entry.Data.Timeout = (uint)(packets * 50 % 432_000);
        return entry.WithCounters(packets, bytes);
    }
}
