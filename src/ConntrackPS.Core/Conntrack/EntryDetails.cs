namespace ConntrackPS.Conntrack;

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
