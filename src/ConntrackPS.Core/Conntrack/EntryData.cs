namespace ConntrackPS.Conntrack;

/// <summary>All values of an entry in one struct, so that a copy is one assignment.</summary>
/// <remarks>Fields instead of properties: the decoder fills a million of these per second. <see cref="Fields"/> has a bit for each value
/// that the kernel sent.</remarks>
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

    /// <summary>The values that few entries have. A copy needs its own object.</summary>
    public EntryDetails? Details;

    /// <summary>The network namespace that the entry was read in, as the user named it; null for the caller's own.</summary>
    public string? Namespace;
}

/// <summary>The optional attributes that an entry has. Zero and absent are different.</summary>
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

    /// <summary>The three SYNPROXY numbers are present and 0. The kernel adds them to every entry that is created through netlink, so they
    /// need not be written.</summary>
    UnusedSynproxy = 1 << 15,
    OriginalBytes = 1 << 16,
    ReplyBytes = 1 << 17,

    /// <summary>The mark is unknown. The kernel omits only a mark of 0, but a text may omit any mark.</summary>
    UnknownMark = 1 << 18,

    /// <summary>Start is the age in nanoseconds: the text says how old the connection is, but not when that was.</summary>
    AgeAlone = 1 << 19,

    /// <summary>An event's text has <c>mark=0</c>, which the kernel leaves out unless the mark changed.</summary>
    ToldMark = 1 << 20,

    /// <summary>The kernel sends both packets and bytes, or neither. A file may have only one of them.</summary>
    OriginalCounters = OriginalPackets | OriginalBytes,
    ReplyCounters = ReplyPackets | ReplyBytes,
}

/// <summary>The values that few entries have, in a separate object so that the other entries stay small.</summary>
internal sealed class EntryDetails
{
    private ExtraWords? _extra;

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

    /// <summary>Never changed once the entry is made, so that copies may share it.</summary>
    public IReadOnlyDictionary<string, string>? Extra
    {
        get => _extra;
        set => _extra = ExtraWords.Of(value);
    }

    public EntryDetails Clone() => (EntryDetails)MemberwiseClone();
}

/// <summary>The adjustment of TCP sequence numbers in one direction (struct nf_ct_seqadj).</summary>
/// <param name="CorrectionPosition">The sequence number of the last adjustment (CTA_SEQADJ_CORRECTION_POS).</param>
/// <param name="OffsetBefore">The offset before it, in bytes (CTA_SEQADJ_OFFSET_BEFORE).</param>
/// <param name="OffsetAfter">The offset after it, in bytes (CTA_SEQADJ_OFFSET_AFTER).</param>
internal sealed record SequenceAdjustment(uint CorrectionPosition, int OffsetBefore, int OffsetAfter);

/// <summary>The flags that TCP tracking keeps for one direction (IP_CT_TCP_FLAG_*, linux/netfilter/nf_conntrack_tcp.h).</summary>
[Flags]
public enum TcpTrackingFlags : byte
{
    /// <summary>No flag is set.</summary>
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

    /// <summary>IP_CT_EXP_CHALLENGE_ACK: an RFC 5961 challenge ACK is expected.</summary>
    ExpChallengeAck = 0x40,

    /// <summary>IP_CT_TCP_SIMULTANEOUS_OPEN: both ends sent a SYN.</summary>
    SimultaneousOpen = 0x80,
}
