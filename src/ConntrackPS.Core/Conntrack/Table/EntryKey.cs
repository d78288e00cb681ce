using System.Globalization;
using ConntrackPS.Conntrack.Wire;

namespace ConntrackPS.Conntrack.Table;

/// <summary>What names one entry exactly: its tuples and zones, and its id where that is known.</summary>
/// <param name="Original">The original direction's tuple; default where the reply alone is known.</param>
/// <param name="Zone">The zone of both directions.</param>
/// <param name="OriginalZone">The zone of the original direction alone.</param>
/// <param name="Id">The kernel's id: with it, another entry that took the tuple since is left alone, unless it happens to
/// have the same id, a hash of the tuple and the entry's place in memory, which the kernel likes to use again.</param>
public readonly record struct EntryKey(ConntrackTuple Original, ushort Zone, ushort? OriginalZone, uint? Id)
{
    /// <summary>The zone of the reply direction alone.</summary>
    public ushort? ReplyZone { get; init; }

    /// <summary>The reply direction's tuple; null where it is not known, and any will do.</summary>
    public ConntrackTuple? Reply { get; init; }

    /// <summary>True where the reply alone is known, which names an entry as well: the original tuple is then left out.</summary>
    internal bool IsByReply => Original.Family == IPFamily.Unspecified && Reply is not null;

    /// <summary>The layer 4 protocol, which both directions share.</summary>
    internal IPProtocol Protocol => IsByReply ? Reply!.Value.Protocol : Original.Protocol;

    /// <summary>The number of the entry's zone, whichever direction it holds for.</summary>
    internal ushort AnyZone => OriginalZone ?? ReplyZone ?? Zone;

    /// <summary>The zones that the two directions are in: one that holds for one direction leaves the other in zone 0.</summary>
    internal (ushort Original, ushort Reply) Zones => ZonesOf(Zone, OriginalZone, ReplyZone);

    /// <summary>The key of an entry.</summary>
    public static EntryKey Of(ConntrackEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return new EntryKey(entry.Original, entry.Zone, entry.OriginalZone, entry.Id)
        {
            ReplyZone = entry.ReplyZone,
            Reply = entry.Reply.Family == IPFamily.Unspecified ? null : entry.Reply,
        };
    }

    /// <summary>True for the entry that is named. The kernel finds entries by either direction, and hands out another one
    /// where its reply has this tuple.</summary>
    public bool Matches(ConntrackEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return (IsByReply || entry.Original == Original)
            && ZonesOf(entry) == Zones
            && (Reply is not { } reply || entry.Reply == reply)
            && (Id is null || entry.Id == Id);
    }

    /// <summary>The flow on one line, with its zone where that is not 0.</summary>
    public override string ToString() =>
        AnyZone == 0 ? Flow : string.Create(CultureInfo.InvariantCulture, $"{Flow} zone {AnyZone}");

    /// <summary>The direction that is known.</summary>
    internal string Flow => IsByReply ? $"with the reply {Reply}" : Original.ToString();

    /// <summary>Lets keys through that name one entry, and no others.</summary>
    /// <exception cref="FormatException">Parts of a tuple are missing.</exception>
    internal void ThrowIfIncomplete()
    {
        if (!IsByReply)
            IncompleteTupleException.ThrowIfIncomplete(Original);
        if (Reply is { } reply)
            IncompleteTupleException.ThrowIfIncomplete(reply, "Reply");
    }

    internal static (ushort Original, ushort Reply) ZonesOf(ConntrackEntry entry) => ZonesOf(entry.Zone, entry.OriginalZone, entry.ReplyZone);

    private static (ushort Original, ushort Reply) ZonesOf(ushort both, ushort? original, ushort? reply) =>
        original is null && reply is null ? (both, both) : (original ?? 0, reply ?? 0);
}

/// <summary>How a request points at an entry: by one tuple and a zone. The kernel takes whichever entry has the tuple, in
/// either direction, so that another one can stand in the way; then the other addresses of the same entry are tried.</summary>
/// <param name="Attribute">CTA_TUPLE_ORIG or CTA_TUPLE_REPLY: which direction <paramref name="TupleZone"/> is about, and
/// nothing else. Either may carry either tuple of an entry.</param>
/// <param name="Tuple">The tuple that is looked up.</param>
/// <param name="TupleZone">CTA_TUPLE_ZONE: a zone of that direction alone, with zone 0 for the other.</param>
/// <param name="Zone">CTA_ZONE: the zone of both directions.</param>
internal readonly record struct EntryAddress(EntryAttribute Attribute, ConntrackTuple Tuple, ushort? TupleZone, ushort Zone)
{
    /// <summary>A zone that no reply, or no original direction, is in as far as one can know. Should there be such an entry,
    /// what is found is compared anyway.</summary>
    private const ushort Elsewhere = ushort.MaxValue;

    /// <summary>The usual address: the original tuple, or the reply where it alone is known, in the entry's own zone.</summary>
    public static EntryAddress Of(in EntryKey key) => In(key, key.IsByReply ? key.Reply!.Value : key.Original);

    /// <summary>A tuple in the zone that an entry is in.</summary>
    public static EntryAddress In(in EntryKey key, in ConntrackTuple tuple) => key switch
    {
        { OriginalZone: { } zone } => new EntryAddress(EntryAttribute.TupleOrig, tuple, zone, 0),
        { ReplyZone: { } zone } => new EntryAddress(EntryAttribute.TupleReply, tuple, zone, 0),
        _ => new EntryAddress(EntryAttribute.TupleOrig, tuple, null, key.Zone),
    };

    /// <summary>Where no reply is met that has this tuple: the zone's number holds for original directions alone.</summary>
    public static EntryAddress OriginalOnly(in EntryKey key)
    {
        ushort zone = key.Zones.Original;
        return zone == 0
            ? new EntryAddress(EntryAttribute.TupleReply, key.Original, Elsewhere, 0)
            : new EntryAddress(EntryAttribute.TupleOrig, key.Original, zone, 0);
    }

    /// <summary>Where no original direction is met that has this tuple.</summary>
    public static EntryAddress ReplyOnly(in EntryKey key, in ConntrackTuple reply)
    {
        ushort zone = key.Zones.Reply;
        return zone == 0
            ? new EntryAddress(EntryAttribute.TupleOrig, reply, Elsewhere, 0)
            : new EntryAddress(EntryAttribute.TupleReply, reply, zone, 0);
    }
}

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
        return mix * Odd ^ ((ulong)entry.Data.Id << 16 | entry.Zone);
    }
}
