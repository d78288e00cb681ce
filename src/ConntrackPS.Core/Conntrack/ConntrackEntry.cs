namespace ConntrackPS.Conntrack;

/// <summary>One connection of the kernel's table. All properties are primitive values, so that an entry displays, sorts and serialises
/// well. Null means that the kernel did not send the value, or that the protocol does not have it.</summary>
/// <remarks>Attributes CTA_* of linux/netfilter/nfnetlink_conntrack.h. Text properties are built on access.</remarks>
public class ConntrackEntry
{
    internal EntryData Data;

    internal ConntrackEntry()
    {
    }

    internal ref ConntrackTuple Original => ref Data.Original;

    internal ref ConntrackTuple Reply => ref Data.Reply;

    internal ref EntryFields Fields => ref Data.Fields;

    internal EntryDetails? Details => Data.Details;

    /// <summary>IPv4 or IPv6 (nfgenmsg.nfgen_family).</summary>
    public IPFamily AddressFamily => Original.Family;

    /// <summary>The layer 4 protocol (CTA_PROTO_NUM).</summary>
    public IPProtocol Protocol => Original.Protocol;

    /// <summary>The state of a TCP, SCTP or DCCP connection; null for the others (CTA_PROTOINFO_*_STATE).</summary>
    public ConntrackState? State => Has(EntryFields.State) ? Data.State : null;

    /// <summary>The status bits (CTA_STATUS).</summary>
    public ConntrackStatus Status
    {
        get => Data.Status;
        internal set => Data.Status = value;
    }

    /// <summary>Seconds until the entry expires, unless a packet renews it (CTA_TIMEOUT).</summary>
    public uint? TimeoutSeconds => Has(EntryFields.Timeout) ? Data.Timeout : null;

    /// <summary>The source address of the first packet.</summary>
    public string? SourceAddress => Original.SourceText;

    /// <summary>The source port of the first packet, for protocols with ports.</summary>
    public ushort? SourcePort => Port(Original, Original.SourcePort, TupleGaps.SourcePort);

    /// <summary>The destination address of the first packet, before translation.</summary>
    public string? DestinationAddress => Original.DestinationText;

    /// <summary>The destination port of the first packet, before translation.</summary>
    public ushort? DestinationPort => Port(Original, Original.DestinationPort, TupleGaps.DestinationPort);

    /// <summary>The source address of replies: the translated destination.</summary>
    public string? ReplySourceAddress => Reply.SourceText;

    /// <summary>The source port of replies: the translated destination port.</summary>
    public ushort? ReplySourcePort => Port(Reply, Reply.SourcePort, TupleGaps.SourcePort);

    /// <summary>The destination address of replies: the translated source.</summary>
    public string? ReplyDestinationAddress => Reply.DestinationText;

    /// <summary>The destination port of replies: the translated source port.</summary>
    public ushort? ReplyDestinationPort => Port(Reply, Reply.DestinationPort, TupleGaps.DestinationPort);

    /// <summary>The ICMP or ICMPv6 type of the first packet (CTA_PROTO_ICMP_TYPE, CTA_PROTO_ICMPV6_TYPE).</summary>
    public byte? IcmpType => IcmpHigh(Original);

    /// <summary>The ICMP or ICMPv6 code of the first packet.</summary>
    public byte? IcmpCode => IcmpLow(Original);

    /// <summary>The ICMP or ICMPv6 identifier of the first packet.</summary>
    public ushort? IcmpId => IcmpNumber(Original);

    /// <summary>The ICMP or ICMPv6 type of replies.</summary>
    public byte? ReplyIcmpType => IcmpHigh(Reply);

    /// <summary>The ICMP or ICMPv6 code of replies.</summary>
    public byte? ReplyIcmpCode => IcmpLow(Reply);

    /// <summary>The ICMP or ICMPv6 identifier of replies. It differs if the source is translated.</summary>
    public ushort? ReplyIcmpId => IcmpNumber(Reply);

    /// <summary>The GRE key of the source (PPTP's call id; CTA_PROTO_SRC_PORT).</summary>
    public ushort? GreSourceKey => GreKey(Original, Original.SourcePort, TupleGaps.SourcePort);

    /// <summary>The GRE key of the destination (CTA_PROTO_DST_PORT).</summary>
    public ushort? GreDestinationKey => GreKey(Original, Original.DestinationPort, TupleGaps.DestinationPort);

    /// <summary>The GRE key that replies come from.</summary>
    public ushort? ReplyGreSourceKey => GreKey(Reply, Reply.SourcePort, TupleGaps.SourcePort);

    /// <summary>The GRE key that replies go to.</summary>
    public ushort? ReplyGreDestinationKey => GreKey(Reply, Reply.DestinationPort, TupleGaps.DestinationPort);

    /// <summary>Packets from the source; null while nf_conntrack_acct is off (CTA_COUNTERS_ORIG).</summary>
    public ulong? OriginalPackets => Has(EntryFields.OriginalPackets) ? Data.OriginalPackets : null;

    /// <summary>Bytes from the source, with layer 3 headers; null while nf_conntrack_acct is off.</summary>
    public ulong? OriginalBytes => Has(EntryFields.OriginalBytes) ? Data.OriginalBytes : null;

    /// <summary>Packets of replies; null while nf_conntrack_acct is off (CTA_COUNTERS_REPLY).</summary>
    public ulong? ReplyPackets => Has(EntryFields.ReplyPackets) ? Data.ReplyPackets : null;

    /// <summary>Bytes of replies, with layer 3 headers; null while nf_conntrack_acct is off.</summary>
    public ulong? ReplyBytes => Has(EntryFields.ReplyBytes) ? Data.ReplyBytes : null;

    /// <summary>Packets in both directions; null while nf_conntrack_acct is off.</summary>
    public ulong? TotalPackets => OriginalPackets + ReplyPackets;

    /// <summary>Bytes in both directions; null while nf_conntrack_acct is off.</summary>
    public ulong? TotalBytes => OriginalBytes + ReplyBytes;

    /// <summary>The start of the connection, local time; null while nf_conntrack_timestamp is off (CTA_TIMESTAMP_START).</summary>
    public DateTime? StartTime => Has(EntryFields.StartTime) ? ToLocalTime(Data.Start) : null;

    /// <summary>The end of the connection, local time; null while it has not ended (CTA_TIMESTAMP_STOP).</summary>
    public DateTime? StopTime => Has(EntryFields.StopTime) ? ToLocalTime(Data.Stop) : null;

    /// <summary>The start of the connection in nanoseconds since 1970 in UTC, as the kernel counts. This number is the same everywhere,
    /// while times in CSV depend on the culture and calendar of the writer and have no offset.</summary>
    public ulong? StartTimestamp => Has(EntryFields.StartTime) ? Data.Start : null;

    /// <summary>The end of the connection in nanoseconds since 1970 in UTC; null while it has not ended.</summary>
    public ulong? StopTimestamp => Has(EntryFields.StopTime) ? Data.Stop : null;

    /// <summary>Seconds from the start of the connection until now, or until its end if it has ended. Rounded to milliseconds. Null while
    /// nf_conntrack_timestamp is off. Each access reads the clock. For an entry of a text that has delta-time=, but not when it was
    /// printed: the age at that time.</summary>
    public double? Age => Has(EntryFields.StartTime) ? SecondsSince(Data.Start, Has(EntryFields.StopTime) ? Data.Stop : Now())
        : Has(EntryFields.AgeAlone) ? Data.Start / 1e9
        : null;

    /// <summary>The connection mark, 0 for none (CTA_MARK). Null if a text or file has no marks, such as <c>conntrack -o
    /// save</c>.</summary>
    public uint? Mark
    {
        get => Has(EntryFields.UnknownMark) ? null : Data.Mark;
        internal set => (Data.Mark, Fields) = (value ?? 0, value is null ? Fields | EntryFields.UnknownMark : Fields & ~EntryFields.UnknownMark);
    }

    /// <summary>The labels, comma-separated: names from connlabel.conf, or bit numbers where it has no name (CTA_LABELS).</summary>
    public string? Labels => Details?.Labels is { IsEmpty: false } labels ? labels.ToNames() : null;

    /// <summary>The zone of both directions, 0 for none (CTA_ZONE).</summary>
    public ushort Zone
    {
        get => Data.Zone;
        internal set => Data.Zone = value;
    }

    /// <summary>The zone of only the original direction, or null (CTA_TUPLE_ZONE).</summary>
    public ushort? OriginalZone => Has(EntryFields.OriginalZone) ? Data.OriginalZone : null;

    /// <summary>The zone of only the reply direction, or null (CTA_TUPLE_ZONE).</summary>
    public ushort? ReplyZone => Has(EntryFields.ReplyZone) ? Data.ReplyZone : null;

    /// <summary>The helper that inspects the connection, such as ftp (CTA_HELP_NAME).</summary>
    public string? Helper => Details?.Helper;

    /// <summary>The security context of the connection (CTA_SECCTX_NAME).</summary>
    public string? SecurityContext => Details?.SecurityContext;

    /// <summary>The security mark, only from kernels before 2.6.37 (CTA_SECMARK).</summary>
    public uint? SecurityMark => Has(EntryFields.Secmark) ? Details!.Secmark : null;

    /// <summary>The protocol of the master connection, whose expectation this connection matched (CTA_TUPLE_MASTER).</summary>
    public IPProtocol? MasterProtocol => Details?.Master?.Protocol;

    /// <summary>The source address of the master connection.</summary>
    public string? MasterSourceAddress => Details?.Master?.SourceText;

    /// <summary>The source port of the master connection.</summary>
    public ushort? MasterSourcePort => Details?.Master is { } master ? Port(master, master.SourcePort, TupleGaps.SourcePort) : null;

    /// <summary>The destination address of the master connection.</summary>
    public string? MasterDestinationAddress => Details?.Master?.DestinationText;

    /// <summary>The destination port of the master connection.</summary>
    public ushort? MasterDestinationPort => Details?.Master is { } master ? Port(master, master.DestinationPort, TupleGaps.DestinationPort) : null;

    /// <summary>The source's TCP window scale, 0 to 14 (CTA_PROTOINFO_TCP_WSCALE_ORIGINAL).</summary>
    public byte? OriginalWindowScale => Has(EntryFields.OriginalWindowScale) ? Data.OriginalWindowScale : null;

    /// <summary>The destination's TCP window scale, 0 to 14 (CTA_PROTOINFO_TCP_WSCALE_REPLY).</summary>
    public byte? ReplyWindowScale => Has(EntryFields.ReplyWindowScale) ? Data.ReplyWindowScale : null;

    /// <summary>The flags that TCP tracking keeps for the source (CTA_PROTOINFO_TCP_FLAGS_ORIGINAL).</summary>
    public TcpTrackingFlags? OriginalTcpFlags => Has(EntryFields.OriginalTcpFlags) ? Data.OriginalTcpFlags : null;

    /// <summary>The flags that TCP tracking keeps for the destination (CTA_PROTOINFO_TCP_FLAGS_REPLY).</summary>
    public TcpTrackingFlags? ReplyTcpFlags => Has(EntryFields.ReplyTcpFlags) ? Data.ReplyTcpFlags : null;

    /// <summary>The SCTP verification tag of the original direction (CTA_PROTOINFO_SCTP_VTAG_ORIGINAL).</summary>
    public uint? OriginalVerificationTag => Details?.OriginalVerificationTag;

    /// <summary>The SCTP verification tag of the reply direction (CTA_PROTOINFO_SCTP_VTAG_REPLY).</summary>
    public uint? ReplyVerificationTag => Details?.ReplyVerificationTag;

    /// <summary>DCCP: 0 if the original direction is the client's, 1 if it is the server's (CTA_PROTOINFO_DCCP_ROLE).</summary>
    public byte? DccpRole => Details?.DccpRole;

    /// <summary>DCCP: the sequence number of the handshake (CTA_PROTOINFO_DCCP_HANDSHAKE_SEQ).</summary>
    public ulong? DccpHandshakeSequence => Details?.DccpHandshakeSequence;

    /// <summary>The position of the last sequence number adjustment in the original direction (CTA_SEQADJ_CORRECTION_POS).</summary>
    public uint? OriginalSequencePosition => Details?.OriginalSequence?.CorrectionPosition;

    /// <summary>The offset of sequence numbers before that position, in bytes (CTA_SEQADJ_OFFSET_BEFORE).</summary>
    public int? OriginalSequenceOffsetBefore => Details?.OriginalSequence?.OffsetBefore;

    /// <summary>The offset of sequence numbers after that position, in bytes (CTA_SEQADJ_OFFSET_AFTER).</summary>
    public int? OriginalSequenceOffsetAfter => Details?.OriginalSequence?.OffsetAfter;

    /// <summary>The position of the last sequence number adjustment in the reply direction.</summary>
    public uint? ReplySequencePosition => Details?.ReplySequence?.CorrectionPosition;

    /// <summary>The offset of sequence numbers before that position, in bytes.</summary>
    public int? ReplySequenceOffsetBefore => Details?.ReplySequence?.OffsetBefore;

    /// <summary>The offset of sequence numbers after that position, in bytes.</summary>
    public int? ReplySequenceOffsetAfter => Details?.ReplySequence?.OffsetAfter;

    /// <summary>SYNPROXY: the initial sequence number it chose (CTA_SYNPROXY_ISN).</summary>
    public uint? SynproxyIsn => Synproxy(Details?.SynproxyIsn);

    /// <summary>SYNPROXY: the initial timestamp it chose (CTA_SYNPROXY_ITS).</summary>
    public uint? SynproxyIts => Synproxy(Details?.SynproxyIts);

    /// <summary>SYNPROXY: the offset added to timestamps (CTA_SYNPROXY_TSOFF).</summary>
    public uint? SynproxyTimestampOffset => Synproxy(Details?.SynproxyTimestampOffset);

    /// <summary>The kernel's reference count of the entry (CTA_USE).</summary>
    public uint? UseCount => Has(EntryFields.UseCount) ? Data.Use : null;

    /// <summary>The kernel's number for the entry during its lifetime. Not unique by itself (CTA_ID).</summary>
    public uint? Id => Has(EntryFields.Id) ? Data.Id : null;

    /// <summary>Words of a text that have no other property, such as <c>nmark=</c> or <c>[FASTNAT]</c> of a router's firmware. The value is
    /// that of <c>word=value</c> or <c>[WORD value]</c>, otherwise an empty text. Null if there are none.</summary>
    public IReadOnlyDictionary<string, string>? Extra => Details?.Extra;

    /// <summary>The network namespace that the entry was read in, as the user named it; null for the caller's own.</summary>
    public string? Namespace
    {
        get => Data.Namespace;
        internal set => Data.Namespace = value;
    }

    /// <summary>The connection on one line.</summary>
    public override string ToString() => EntryText.Describe(this);

    /// <summary>Sets CTA_TIMESTAMP_EVENT, which only events have.</summary>
    internal virtual void SetEventTime(ulong nanoseconds)
    {
    }

    /// <summary>Packets in both directions, 0 without counters.</summary>
    internal ulong RawPackets => (Has(EntryFields.OriginalPackets) ? Data.OriginalPackets : 0) + (Has(EntryFields.ReplyPackets) ? Data.ReplyPackets : 0);

    /// <summary>Bytes in both directions, 0 without counters.</summary>
    internal ulong RawBytes => (Has(EntryFields.OriginalBytes) ? Data.OriginalBytes : 0) + (Has(EntryFields.ReplyBytes) ? Data.ReplyBytes : 0);

    /// <summary>True for an SCTP entry without known verification tags. The kernel then uses 0, and treats packets with the real tag as
    /// invalid until a HEARTBEAT of each direction shows the tag (nf_conntrack_sctp_packet).</summary>
    internal bool LacksVerificationTags =>
        Protocol == IPProtocol.Sctp && Details is not { OriginalVerificationTag: not null, ReplyVerificationTag: not null };

    /// <summary>True for an entry whose sequence numbers are adjusted by an unknown offset. Without the offset its two ends can't
    /// communicate, and no packet shows it.</summary>
    internal bool LacksSequenceShift =>
        (Status & ConntrackStatus.SeqAdjust) != 0 && Details is not ({ OriginalSequence: not null } or { ReplySequence: not null });

    /// <summary>Throws if the entry lacks values that every entry of the kernel has.</summary>
    /// <exception cref="IncompleteTupleException">A tuple of the entry or of its master is incomplete.</exception>
    internal void ThrowIfIncomplete()
    {
        IncompleteTupleException.ThrowIfIncomplete(Original);
        IncompleteTupleException.ThrowIfIncomplete(Reply, nameof(Reply));
        if (Details?.Master is { } master)
            IncompleteTupleException.ThrowIfIncomplete(master, "Master");
    }

    /// <summary>True for an entry of a text that hides addresses or ports, or has no reply direction.</summary>
    internal bool HasGaps => (Original.Gaps | Reply.Gaps) != TupleGaps.None || Reply.Family == IPFamily.Unspecified;

    internal bool Has(EntryFields field) => (Fields & field) != 0;

    /// <summary>Sets the timeout, in seconds.</summary>
    internal void SetTimeout(uint seconds) => (Data.Timeout, Fields) = (seconds, Fields | EntryFields.Timeout);

    /// <summary>Sets how old the connection was, in seconds, at a time that is not known.</summary>
    internal void SetAgeAlone(ulong seconds)
    {
        if (seconds < ulong.MaxValue / 1_000_000_000)
            (Data.Start, Fields) = (seconds * 1_000_000_000, Fields | EntryFields.AgeAlone);
    }

    /// <summary>Clears the object, to reuse it for the next entry.</summary>
    internal void Reset() => Data = default;

    /// <summary>A copy that shares no mutable data with this entry.</summary>
    internal ConntrackEntry Clone() => CloneAs(new ConntrackEntry());

    /// <summary>Copies the connection into another object.</summary>
    internal ConntrackEntry CloneAs(ConntrackEntry copy)
    {
        copy.Data = Data;
        copy.Data.Details = Data.Details?.Clone();
        return copy;
    }

    internal EntryDetails MakeDetails() => Data.Details ??= new EntryDetails();

    private uint? Synproxy(uint? used) => Has(EntryFields.UnusedSynproxy) ? 0 : used;

    private static ushort? Port(in ConntrackTuple tuple, ushort port, TupleGaps gap) =>
        tuple.HasPorts && !tuple.IsIcmp && tuple.Protocol != IPProtocol.Gre && (tuple.Gaps & gap) == 0 ? port : null;

    private static ushort? GreKey(in ConntrackTuple tuple, ushort key, TupleGaps gap) =>
        tuple.HasPorts && tuple.Protocol == IPProtocol.Gre && (tuple.Gaps & gap) == 0 ? key : null;

    private static ushort? IcmpNumber(in ConntrackTuple tuple) => tuple is { IsIcmp: true, HasPorts: true } ? tuple.SourcePort : null;

    private static byte? IcmpHigh(in ConntrackTuple tuple) => tuple is { IsIcmp: true, HasPorts: true } ? (byte)(tuple.DestinationPort >> 8) : null;

    private static byte? IcmpLow(in ConntrackTuple tuple) => tuple is { IsIcmp: true, HasPorts: true } ? (byte)tuple.DestinationPort : null;

    /// <summary>Never negative, even if the clock was set back meanwhile.</summary>
    private static double SecondsSince(ulong start, ulong end) => end <= start ? 0 : Math.Round((end - start) / 1e9, 3);

    private static ulong Now() => (ulong)(DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;

    internal static DateTime ToLocalTime(ulong nanoseconds) =>
        DateTime.UnixEpoch.AddTicks((long)(nanoseconds / 100)).ToLocalTime();
}
