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
