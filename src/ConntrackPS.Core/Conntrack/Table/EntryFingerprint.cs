namespace ConntrackPS.Conntrack.Table;

/// <summary>Eight bytes that tell an entry from all others of its table while it lives.</summary>
internal static class EntryFingerprint
{
    /// <summary>The kernel's id alone is not unique among a million entries; with a mix of the tuple it is.</summary>
    public static ulong Of(ConntrackEntry entry)
    {
        const ulong Odd = 0x9e3779b97f4a7c15;
        ulong mix = entry.Original.Source.Low ^ entry.Original.Source.High;
        mix = mix * Odd ^ entry.Original.Destination.Low ^ entry.Original.Destination.High;
        mix = mix * Odd ^ ((ulong)entry.Original.SourcePort << 32 | (ulong)entry.Original.DestinationPort << 16 | (byte)entry.Protocol);
        return mix * Odd ^ ((ulong)entry.RawId << 16 | entry.Zone);
    }
}
