using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Entries that the kernel can confuse: the original tuple of one is the reply of the other, in the same zone. The kernel accepts
/// both, because their other directions are in different zones, but a lookup by that tuple may find either.</summary>
internal static class CrossedTuples
{
    private const ushort Other = 1000;

    /// <summary>False for an ICMP message without a reply, and for a tuple that is its own reply.</summary>
    public static bool CanCross(ConntrackEntry entry) =>
        TupleInversion.Invert(entry.Original) is { } reply && reply != entry.Original
        && (entry is not { Zone: not 0, OriginalZone: null, ReplyZone: null } || entry.Reply != reply);

    /// <summary>An entry that crosses another one, and can be created after it.</summary>
    /// <param name="entry">The other one.</param>
    /// <param name="decorate">Sets the values other than tuples and zone.</param>
    public static ConntrackEntry Cross(ConntrackEntry entry, Action<ConntrackEntry>? decorate = null)
    {
        ConntrackTuple original = TupleInversion.Invert(entry.Original)!.Value;
        ConntrackEntry crossing = Entries.FromOriginal(original);
        decorate?.Invoke(crossing);
        (crossing.Zone, crossing.Fields) = (0, crossing.Fields & ~(EntryFields.OriginalZone | EntryFields.ReplyZone));
        bool isPlain = entry.Reply == original;
        return entry switch
        {
            { OriginalZone: { } zone } => crossing.WithZone(TupleDirection.Reply, zone),
            { ReplyZone: { } zone } => crossing.WithZone(TupleDirection.Original, (ushort)(zone == Other ? Other + 1 : Other)),
            { Zone: 0 } => crossing.WithZone(isPlain ? TupleDirection.Reply : TupleDirection.Original, Other),
            _ => crossing.WithZone(TupleDirection.Reply, entry.Zone),
        };
    }
}
