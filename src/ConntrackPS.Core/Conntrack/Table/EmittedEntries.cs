namespace ConntrackPS.Conntrack.Table;

/// <summary>Remembers what a dump has handed over, at 8 bytes an entry, so that a second one repeats nothing.</summary>
internal sealed class EmittedEntries
{
    private readonly List<ulong> _emitted = [];
    private HashSet<ulong>? _seen;

    /// <summary>From now on only entries that are new count.</summary>
    public void Repeat() => _seen = [.. _emitted];

    /// <summary>Takes note of an entry.</summary>
    /// <returns>False where it was handed over already.</returns>
    public bool Add(ConntrackEntry entry)
    {
        ulong fingerprint = Fingerprint(entry);
        if (_seen is not null && !_seen.Add(fingerprint))
            return false;
        _emitted.Add(fingerprint);
        return true;
    }

    /// <summary>The kernel's id alone is not unique among a million entries; with a mix of the tuple it is.</summary>
    private static ulong Fingerprint(ConntrackEntry entry)
    {
        const ulong Odd = 0x9e3779b97f4a7c15;
        ulong mix = entry.Original.Source.Low ^ entry.Original.Source.High;
        mix = mix * Odd ^ entry.Original.Destination.Low ^ entry.Original.Destination.High;
        mix = mix * Odd ^ ((ulong)entry.Original.SourcePort << 32 | (ulong)entry.Original.DestinationPort << 16 | (byte)entry.Protocol);
        return mix * Odd ^ ((ulong)entry.RawId << 16 | entry.Zone);
    }
}
