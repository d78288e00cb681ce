using ConntrackPS.Conntrack.Wire;

namespace ConntrackPS.Conntrack.Table;

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
    /// what is found is compared all the same.</summary>
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
