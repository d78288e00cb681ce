using System.Globalization;

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
    public bool IsByReply => Original.Family == IPFamily.Unspecified && Reply is not null;

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
    /// <exception cref="IncompleteTupleException">Parts of a tuple are missing.</exception>
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
