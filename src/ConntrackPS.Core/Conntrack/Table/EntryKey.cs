using System.Globalization;
using ConntrackPS.Conntrack.Wire;

namespace ConntrackPS.Conntrack.Table;

/// <summary>Identifies one entry exactly: by its tuples and zones, and by its id if known.</summary>
/// <param name="Original">The original tuple, or default if only the reply is known.</param>
/// <param name="Zone">The zone of both directions.</param>
/// <param name="OriginalZone">The zone of only the original direction.</param>
/// <param name="Id">The kernel's id. It protects another entry that has taken the same tuple meanwhile, unless that entry has the same id.
/// The id is a hash of the tuple and the entry's memory address, and the kernel often reuses the address.</param>
public readonly record struct EntryKey(ConntrackTuple Original, ushort Zone, ushort? OriginalZone, uint? Id)
{
    /// <summary>The zone of only the reply direction.</summary>
    public ushort? ReplyZone { get; init; }

    /// <summary>The reply tuple. Null if it is unknown, and then any reply matches.</summary>
    public ConntrackTuple? Reply { get; init; }

    /// <summary>True if only the reply is known, which also identifies an entry. Then the key has no original tuple.</summary>
    internal bool IsByReply => Original.Family == IPFamily.Unspecified && Reply is not null;

    /// <summary>The layer 4 protocol. It is the same in both directions.</summary>
    internal IPProtocol Protocol => IsByReply ? Reply!.Value.Protocol : Original.Protocol;

    /// <summary>The number of the entry's zone, for either or both directions.</summary>
    internal ushort AnyZone => OriginalZone ?? ReplyZone ?? Zone;

    /// <summary>The zones of the two directions. If the zone applies to one direction, the other is in zone 0.</summary>
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

    /// <summary>True for the identified entry. The kernel finds entries by either direction, and may return an entry whose reply has this
    /// tuple.</summary>
    public bool Matches(ConntrackEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return (IsByReply || entry.Original == Original)
            && ZonesOf(entry) == Zones
            && (Reply is not { } reply || entry.Reply == reply)
            && (Id is null || entry.Id == Id);
    }

    /// <summary>The connection on one line, with its zone if it is not 0.</summary>
    public override string ToString() =>
        AnyZone == 0 ? Flow : string.Create(CultureInfo.InvariantCulture, $"{Flow} zone {AnyZone}");

    /// <summary>The known direction as text.</summary>
    internal string Flow => IsByReply ? $"with the reply {Reply}" : Original.ToString();

    /// <summary>Throws if the key does not identify one entry.</summary>
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

/// <summary>The address of an entry in a request: one tuple and a zone. The kernel finds any entry that has the tuple, in either direction,
/// so another entry can hide the wanted one. Then the other addresses of the same entry are tried.</summary>
/// <param name="Attribute">CTA_TUPLE_ORIG or CTA_TUPLE_REPLY. It only selects the direction of <paramref name="TupleZone"/>; each can
/// contain either tuple of an entry.</param>
/// <param name="Tuple">The tuple to look up.</param>
/// <param name="TupleZone">CTA_TUPLE_ZONE: a zone of only that direction. The other direction is in zone 0.</param>
/// <param name="Zone">CTA_ZONE: the zone of both directions.</param>
internal readonly record struct EntryAddress(EntryAttribute Attribute, ConntrackTuple Tuple, ushort? TupleZone, ushort Zone)
{
    /// <summary>A zone that probably no reply, or no original direction, is in. If there is such an entry, the comparison of the result
    /// detects it.</summary>
    private const ushort Elsewhere = ushort.MaxValue;

    /// <summary>The usual address: the original tuple, or the reply if only that is known, in the entry's own zone.</summary>
    public static EntryAddress Of(in EntryKey key) => In(key, key.IsByReply ? key.Reply!.Value : key.Original);

    /// <summary>A tuple in the zone of an entry.</summary>
    public static EntryAddress In(in EntryKey key, in ConntrackTuple tuple) => key switch
    {
        { OriginalZone: { } zone } => new EntryAddress(EntryAttribute.TupleOrig, tuple, zone, 0),
        { ReplyZone: { } zone } => new EntryAddress(EntryAttribute.TupleReply, tuple, zone, 0),
        _ => new EntryAddress(EntryAttribute.TupleOrig, tuple, null, key.Zone),
    };

    /// <summary>An address that matches no reply with this tuple, because the zone applies only to original directions.</summary>
    public static EntryAddress OriginalOnly(in EntryKey key)
    {
        ushort zone = key.Zones.Original;
        return zone == 0
            ? new EntryAddress(EntryAttribute.TupleReply, key.Original, Elsewhere, 0)
            : new EntryAddress(EntryAttribute.TupleOrig, key.Original, zone, 0);
    }

    /// <summary>An address that matches no original direction with this tuple.</summary>
    public static EntryAddress ReplyOnly(in EntryKey key, in ConntrackTuple reply)
    {
        ushort zone = key.Zones.Reply;
        return zone == 0
            ? new EntryAddress(EntryAttribute.TupleOrig, reply, Elsewhere, 0)
            : new EntryAddress(EntryAttribute.TupleReply, reply, zone, 0);
    }
}

/// <summary>Eight bytes that distinguish an entry from all others of its table during its lifetime.</summary>
internal static class EntryFingerprint
{
    /// <summary>The kernel's id alone is not unique among a million entries. Combined with a hash of the tuple it is.</summary>
    public static ulong Of(ConntrackEntry entry) => OfTuple(entry) ^ (ulong)entry.Data.Id << 16;

    /// <summary>Without the id, which text does not always have.</summary>
    public static ulong OfTuple(ConntrackEntry entry)
    {
        const ulong Odd = 0x9e3779b97f4a7c15;
        ulong mix = entry.Original.Source.Low ^ entry.Original.Source.High;
        mix = mix * Odd ^ entry.Original.Destination.Low ^ entry.Original.Destination.High;
        mix = mix * Odd ^ ((ulong)entry.Original.SourcePort << 32 | (ulong)entry.Original.DestinationPort << 16 | (byte)entry.Protocol);
        return mix * Odd ^ entry.Zone;
    }
}
