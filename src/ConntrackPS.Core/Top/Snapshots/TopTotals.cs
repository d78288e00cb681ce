using ConntrackPS.Conntrack;

namespace ConntrackPS.Top.Snapshots;

/// <summary>Sums over the entries of a snapshot.</summary>
internal sealed class TopTotals
{
    private readonly int[] _protocols = new int[256];

    public int Assured { get; private set; }

    public int Unreplied { get; private set; }

    public ulong MovedPackets { get; private set; }

    public ulong MovedBytes { get; private set; }

    /// <summary>True where any entry has counters.</summary>
    public bool HasCounters { get; private set; }

    /// <summary>Entries of a protocol.</summary>
    public int this[IPProtocol protocol] => _protocols[(byte)protocol];

    public void Add(in TopEntry entry)
    {
        _protocols[(byte)entry.Original.Protocol]++;
        if ((entry.Status & ConntrackStatus.Assured) != 0)
            Assured++;
        if ((entry.Status & ConntrackStatus.SeenReply) == 0)
            Unreplied++;
        MovedPackets += entry.MovedPackets;
        MovedBytes += entry.MovedBytes;
        HasCounters |= entry.Has(EntryFields.OriginalCounters);
    }

    public void Clear()
    {
        Array.Clear(_protocols);
        (Assured, Unreplied, MovedPackets, MovedBytes, HasCounters) = (0, 0, 0, 0, false);
    }
}
