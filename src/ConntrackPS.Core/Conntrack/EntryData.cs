namespace ConntrackPS.Conntrack;

/// <summary>All that an entry holds, so that copying it is one assignment.</summary>
/// <remarks>Fields, not properties: the decoder fills a million of these a second. <see cref="Fields"/> tells which of them the
/// kernel gave.</remarks>
internal struct EntryData
{
    public ConntrackTuple Original;
    public ConntrackTuple Reply;
    public EntryFields Fields;
    public ConntrackStatus Status;
    public uint Id;

    /// <summary>In seconds.</summary>
    public uint Timeout;
    public uint Use;
    public uint Mark;
    public ulong OriginalPackets;
    public ulong OriginalBytes;
    public ulong ReplyPackets;
    public ulong ReplyBytes;

    /// <summary>In nanoseconds since 1970.</summary>
    public ulong Start;

    /// <summary>In nanoseconds since 1970.</summary>
    public ulong Stop;
    public ushort Zone;
    public ushort OriginalZone;
    public ushort ReplyZone;
    public ConntrackState State;
    public byte OriginalWindowScale;
    public byte ReplyWindowScale;
    public TcpTrackingFlags OriginalTcpFlags;
    public TcpTrackingFlags ReplyTcpFlags;

    /// <summary>What few entries have; a copy needs one of its own.</summary>
    public EntryDetails? Details;

    /// <summary>The network namespace it was read in, as the user named it; null for the caller's own.</summary>
    public string? Namespace;
}

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

/// <summary>What few entries have, kept apart so that the others stay small.</summary>
internal sealed class EntryDetails
{
    public LabelBits? Labels { get; set; }

    public string? Helper { get; set; }

    public string? SecurityContext { get; set; }

    public uint Secmark { get; set; }

    public ConntrackTuple? Master { get; set; }

    public SequenceAdjustment? OriginalSequence { get; set; }

    public SequenceAdjustment? ReplySequence { get; set; }

    public uint? SynproxyIsn { get; set; }

    public uint? SynproxyIts { get; set; }

    public uint? SynproxyTimestampOffset { get; set; }

    public uint? OriginalVerificationTag { get; set; }

    public uint? ReplyVerificationTag { get; set; }

    public byte? DccpRole { get; set; }

    public ulong? DccpHandshakeSequence { get; set; }

    /// <summary>What a text said of the entry that no property holds, by its words.</summary>
    public IReadOnlyDictionary<string, string>? Extra { get; set; }

    public EntryDetails Clone() => (EntryDetails)MemberwiseClone();
}

/// <summary>How TCP sequence numbers of one direction are shifted (struct nf_ct_seqadj).</summary>
/// <param name="CorrectionPosition">The sequence number of the last change (CTA_SEQADJ_CORRECTION_POS).</param>
/// <param name="OffsetBefore">Bytes added before it (CTA_SEQADJ_OFFSET_BEFORE).</param>
/// <param name="OffsetAfter">Bytes added after it (CTA_SEQADJ_OFFSET_AFTER).</param>
internal sealed record SequenceAdjustment(uint CorrectionPosition, int OffsetBefore, int OffsetAfter);

/// <summary>What TCP tracking noted of one direction (IP_CT_TCP_FLAG_*, linux/netfilter/nf_conntrack_tcp.h).</summary>
[Flags]
public enum TcpTrackingFlags : byte
{
    /// <summary>Nothing noted.</summary>
    None = 0,

    /// <summary>IP_CT_TCP_FLAG_WINDOW_SCALE: the sender offered window scaling.</summary>
    WindowScale = 0x01,

    /// <summary>IP_CT_TCP_FLAG_SACK_PERM: the sender permits selective acknowledgement.</summary>
    SackPerm = 0x02,

    /// <summary>IP_CT_TCP_FLAG_CLOSE_INIT: the sender sent FIN first.</summary>
    CloseInit = 0x04,

    /// <summary>IP_CT_TCP_FLAG_BE_LIBERAL: no window checking.</summary>
    BeLiberal = 0x08,

    /// <summary>IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED: data of the sender is not acknowledged yet.</summary>
    DataUnacknowledged = 0x10,

    /// <summary>IP_CT_TCP_FLAG_MAXACK_SET: the highest acknowledgement is known.</summary>
    MaxackSet = 0x20,

    /// <summary>IP_CT_EXP_CHALLENGE_ACK: an RFC 5961 challenge ACK may come.</summary>
    ExpChallengeAck = 0x40,

    /// <summary>IP_CT_TCP_SIMULTANEOUS_OPEN: both ends opened at once.</summary>
    SimultaneousOpen = 0x80,
}
