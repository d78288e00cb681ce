namespace ConntrackPS.Conntrack;

/// <summary>Which optional attributes an entry came with: zero and absent are different things.</summary>
[Flags]
internal enum EntryFields : uint
{
    None = 0,
    Id = 1 << 0,
    Timeout = 1 << 1,
    UseCount = 1 << 2,
    State = 1 << 3,
    OriginalPackets = 1 << 4,
    ReplyPackets = 1 << 5,
    StartTime = 1 << 6,
    StopTime = 1 << 7,
    OriginalWindowScale = 1 << 8,
    ReplyWindowScale = 1 << 9,
    OriginalTcpFlags = 1 << 10,
    ReplyTcpFlags = 1 << 11,
    OriginalZone = 1 << 12,
    ReplyZone = 1 << 13,
    Secmark = 1 << 14,

    /// <summary>SYNPROXY's three numbers are there, and all 0: the kernel gives them to every entry that is created
    /// through netlink, so that they need not be written.</summary>
    UnusedSynproxy = 1 << 15,
    OriginalBytes = 1 << 16,
    ReplyBytes = 1 << 17,

    /// <summary>The mark is not known: the kernel leaves a mark out that is 0, but a text may leave out any.</summary>
    UnknownMark = 1 << 18,

    /// <summary>The kernel has packets and bytes, or neither; a file that someone made may have one of them.</summary>
    OriginalCounters = OriginalPackets | OriginalBytes,
    ReplyCounters = ReplyPackets | ReplyBytes,
}
