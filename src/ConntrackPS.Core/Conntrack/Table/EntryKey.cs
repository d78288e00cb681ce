using System.Globalization;

namespace ConntrackPS.Conntrack.Table;

/// <summary>What names one entry exactly: its original tuple, its zone, and its id where that is known.</summary>
/// <param name="Original">The original direction's tuple.</param>
/// <param name="Zone">The zone of both directions.</param>
/// <param name="OriginalZone">The zone of the original direction alone.</param>
/// <param name="Id">The kernel's id: with it, another entry that took the tuple since is left alone, unless it happens to
/// have the same id, a hash of the tuple and the entry's place in memory, which the kernel likes to use again.</param>
public readonly record struct EntryKey(ConntrackTuple Original, ushort Zone, ushort? OriginalZone, uint? Id)
{
    /// <summary>The key of an entry.</summary>
    public static EntryKey Of(ConntrackEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return new EntryKey(entry.Original, entry.Zone, entry.OriginalZone, entry.Id);
    }

    /// <summary>The flow on one line, with its zone where that is not 0.</summary>
    public override string ToString() =>
        Zone == 0 ? Original.ToString() : string.Create(CultureInfo.InvariantCulture, $"{Original} zone {Zone}");
}
