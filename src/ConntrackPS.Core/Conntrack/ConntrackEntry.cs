namespace ConntrackPS.Conntrack;

/// <summary>One connection of the kernel's table: flat, and of primitives only, so that it prints, sorts and
/// serialises naturally. Null means that the kernel did not tell, or that the protocol has no such thing.</summary>
/// <remarks>Attributes CTA_* of linux/netfilter/nfnetlink_conntrack.h. Text is made when a property is read.</remarks>
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

    /// <summary>Seconds until the entry goes, unless a packet renews it (CTA_TIMEOUT).</summary>
    public uint? TimeoutSeconds => Has(EntryFields.Timeout) ? Data.Timeout : null;

    /// <summary>The address of the connection's first packet's sender.</summary>
    public string? SourceAddress => Original.SourceText;

    /// <summary>The port of the first packet's sender, for protocols with ports.</summary>
    public ushort? SourcePort => Port(Original, Original.SourcePort, TupleGaps.SourcePort);

    /// <summary>The address that the first packet was sent to, before translation.</summary>
    public string? DestinationAddress => Original.DestinationText;

    /// <summary>The port that the first packet was sent to, before translation.</summary>
    public ushort? DestinationPort => Port(Original, Original.DestinationPort, TupleGaps.DestinationPort);

    /// <summary>The address replies come from: the translated destination.</summary>
    public string? ReplySourceAddress => Reply.SourceText;

    /// <summary>The port replies come from: the translated destination port.</summary>
    public ushort? ReplySourcePort => Port(Reply, Reply.SourcePort, TupleGaps.SourcePort);

    /// <summary>The address replies go to: the translated source.</summary>
    public string? ReplyDestinationAddress => Reply.DestinationText;

    /// <summary>The port replies go to: the translated source port.</summary>
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

    /// <summary>The ICMP or ICMPv6 identifier of replies; another one where the source is translated.</summary>
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

    /// <summary>Bytes from the source, layer 3 headers included; null while nf_conntrack_acct is off.</summary>
    public ulong? OriginalBytes => Has(EntryFields.OriginalBytes) ? Data.OriginalBytes : null;

    /// <summary>Packets of replies; null while nf_conntrack_acct is off (CTA_COUNTERS_REPLY).</summary>
    public ulong? ReplyPackets => Has(EntryFields.ReplyPackets) ? Data.ReplyPackets : null;

    /// <summary>Bytes of replies, layer 3 headers included; null while nf_conntrack_acct is off.</summary>
    public ulong? ReplyBytes => Has(EntryFields.ReplyBytes) ? Data.ReplyBytes : null;

    /// <summary>Packets both ways; null while nf_conntrack_acct is off.</summary>
    public ulong? TotalPackets => OriginalPackets + ReplyPackets;

    /// <summary>Bytes both ways; null while nf_conntrack_acct is off.</summary>
    public ulong? TotalBytes => OriginalBytes + ReplyBytes;

    /// <summary>When the connection began, local time; null while nf_conntrack_timestamp is off (CTA_TIMESTAMP_START).</summary>
    public DateTime? StartTime => Has(EntryFields.StartTime) ? ToLocalTime(Data.Start) : null;

    /// <summary>When the connection ended, local time, on entries that have (CTA_TIMESTAMP_STOP).</summary>
    public DateTime? StopTime => Has(EntryFields.StopTime) ? ToLocalTime(Data.Stop) : null;

    /// <summary>When the connection began, in nanoseconds since 1970 in UTC, as the kernel counts. CSV has times in the culture and
    /// calendar of who wrote it, and without their offset; this number is the same everywhere.</summary>
    public ulong? StartTimestamp => Has(EntryFields.StartTime) ? Data.Start : null;

    /// <summary>When the connection ended, in nanoseconds since 1970 in UTC, on entries that have.</summary>
    public ulong? StopTimestamp => Has(EntryFields.StopTime) ? Data.Stop : null;

    /// <summary>Seconds since the connection began, to the millisecond, and of one that has ended until it did; null while
    /// nf_conntrack_timestamp is off. The clock is read each time that this is.</summary>
    public double? Age => Has(EntryFields.StartTime) ? SecondsSince(Data.Start, Has(EntryFields.StopTime) ? Data.Stop : Now()) : null;

    /// <summary>The connection mark, 0 for none (CTA_MARK); null where a text or file says nothing of marks, as
    /// <c>conntrack -o save</c> doesn't.</summary>
    public uint? Mark
    {
        get => Has(EntryFields.UnknownMark) ? null : Data.Mark;
        internal set => (Data.Mark, Fields) = (value ?? 0, value is null ? Fields | EntryFields.UnknownMark : Fields & ~EntryFields.UnknownMark);
    }

    /// <summary>The labels, comma-separated: names of connlabel.conf, else bit numbers (CTA_LABELS).</summary>
    public string? Labels => Details?.Labels is { IsEmpty: false } labels ? labels.ToNames() : null;

    /// <summary>The zone that holds for both directions, 0 for none (CTA_ZONE).</summary>
    public ushort Zone
    {
        get => Data.Zone;
        internal set => Data.Zone = value;
    }

    /// <summary>The zone of the original direction, where it has one of its own (CTA_TUPLE_ZONE).</summary>
    public ushort? OriginalZone => Has(EntryFields.OriginalZone) ? Data.OriginalZone : null;

    /// <summary>The zone of the reply direction, where it has one of its own (CTA_TUPLE_ZONE).</summary>
    public ushort? ReplyZone => Has(EntryFields.ReplyZone) ? Data.ReplyZone : null;

    /// <summary>The helper that reads along, such as ftp (CTA_HELP_NAME).</summary>
    public string? Helper => Details?.Helper;

    /// <summary>The security context of the connection (CTA_SECCTX_NAME).</summary>
    public string? SecurityContext => Details?.SecurityContext;

    /// <summary>The security mark, from kernels before 2.6.37 (CTA_SECMARK).</summary>
    public uint? SecurityMark => Has(EntryFields.Secmark) ? Details!.Secmark : null;

    /// <summary>The protocol of the connection that expected this one (CTA_TUPLE_MASTER).</summary>
    public IPProtocol? MasterProtocol => Details?.Master?.Protocol;

    /// <summary>The source address of the connection that expected this one.</summary>
    public string? MasterSourceAddress => Details?.Master?.SourceText;

    /// <summary>The source port of the connection that expected this one.</summary>
    public ushort? MasterSourcePort => Details?.Master is { } master ? Port(master, master.SourcePort, TupleGaps.SourcePort) : null;

    /// <summary>The destination address of the connection that expected this one.</summary>
    public string? MasterDestinationAddress => Details?.Master?.DestinationText;

    /// <summary>The destination port of the connection that expected this one.</summary>
    public ushort? MasterDestinationPort => Details?.Master is { } master ? Port(master, master.DestinationPort, TupleGaps.DestinationPort) : null;

    /// <summary>The source's TCP window scale, 0 to 14 (CTA_PROTOINFO_TCP_WSCALE_ORIGINAL).</summary>
    public byte? OriginalWindowScale => Has(EntryFields.OriginalWindowScale) ? Data.OriginalWindowScale : null;

    /// <summary>The destination's TCP window scale, 0 to 14 (CTA_PROTOINFO_TCP_WSCALE_REPLY).</summary>
    public byte? ReplyWindowScale => Has(EntryFields.ReplyWindowScale) ? Data.ReplyWindowScale : null;

    /// <summary>What TCP tracking noted of the source (CTA_PROTOINFO_TCP_FLAGS_ORIGINAL).</summary>
    public TcpTrackingFlags? OriginalTcpFlags => Has(EntryFields.OriginalTcpFlags) ? Data.OriginalTcpFlags : null;

    /// <summary>What TCP tracking noted of the destination (CTA_PROTOINFO_TCP_FLAGS_REPLY).</summary>
    public TcpTrackingFlags? ReplyTcpFlags => Has(EntryFields.ReplyTcpFlags) ? Data.ReplyTcpFlags : null;

    /// <summary>The SCTP verification tag of the original direction (CTA_PROTOINFO_SCTP_VTAG_ORIGINAL).</summary>
    public uint? OriginalVerificationTag => Details?.OriginalVerificationTag;

    /// <summary>The SCTP verification tag of the reply direction (CTA_PROTOINFO_SCTP_VTAG_REPLY).</summary>
    public uint? ReplyVerificationTag => Details?.ReplyVerificationTag;

    /// <summary>DCCP: 0 where the original direction is the client's, 1 where it is the server's (CTA_PROTOINFO_DCCP_ROLE).</summary>
    public byte? DccpRole => Details?.DccpRole;

    /// <summary>DCCP: the sequence number of the handshake (CTA_PROTOINFO_DCCP_HANDSHAKE_SEQ).</summary>
    public ulong? DccpHandshakeSequence => Details?.DccpHandshakeSequence;

    /// <summary>Where the sequence numbers of the original direction were last shifted (CTA_SEQADJ_CORRECTION_POS).</summary>
    public uint? OriginalSequencePosition => Details?.OriginalSequence?.CorrectionPosition;

    /// <summary>Bytes by which they shift before that position (CTA_SEQADJ_OFFSET_BEFORE).</summary>
    public int? OriginalSequenceOffsetBefore => Details?.OriginalSequence?.OffsetBefore;

    /// <summary>Bytes by which they shift after that position (CTA_SEQADJ_OFFSET_AFTER).</summary>
    public int? OriginalSequenceOffsetAfter => Details?.OriginalSequence?.OffsetAfter;

    /// <summary>Where the sequence numbers of the reply direction were last shifted.</summary>
    public uint? ReplySequencePosition => Details?.ReplySequence?.CorrectionPosition;

    /// <summary>Bytes by which they shift before that position.</summary>
    public int? ReplySequenceOffsetBefore => Details?.ReplySequence?.OffsetBefore;

    /// <summary>Bytes by which they shift after that position.</summary>
    public int? ReplySequenceOffsetAfter => Details?.ReplySequence?.OffsetAfter;

    /// <summary>SYNPROXY: the initial sequence number it chose (CTA_SYNPROXY_ISN).</summary>
    public uint? SynproxyIsn => Synproxy(Details?.SynproxyIsn);

    /// <summary>SYNPROXY: the initial timestamp it chose (CTA_SYNPROXY_ITS).</summary>
    public uint? SynproxyIts => Synproxy(Details?.SynproxyIts);

    /// <summary>SYNPROXY: the offset added to timestamps (CTA_SYNPROXY_TSOFF).</summary>
    public uint? SynproxyTimestampOffset => Synproxy(Details?.SynproxyTimestampOffset);

    /// <summary>How many hold the entry in the kernel (CTA_USE).</summary>
    public uint? UseCount => Has(EntryFields.UseCount) ? Data.Use : null;

    /// <summary>The kernel's number for the entry while it lives, not unique in itself (CTA_ID).</summary>
    public uint? Id => Has(EntryFields.Id) ? Data.Id : null;

    /// <summary>What a text says of the connection beyond all other properties, such as <c>nmark=</c> or <c>[FASTNAT]</c> of a router's
    /// firmware: the words, and for <c>word=value</c> and <c>[WORD value]</c> the values, else an empty text. Null for nothing.</summary>
    public IReadOnlyDictionary<string, string>? Extra => Details?.Extra;

    /// <summary>The network namespace it was read in, as the user named it; null for the caller's own.</summary>
    public string? Namespace
    {
        get => Data.Namespace;
        internal set => Data.Namespace = value;
    }

    /// <summary>The flow on one line.</summary>
    public override string ToString() => EntryText.Describe(this);

    /// <summary>Takes CTA_TIMESTAMP_EVENT, which only events have.</summary>
    internal virtual void SetEventTime(ulong nanoseconds)
    {
    }

    /// <summary>Packets both ways, 0 without counters.</summary>
    internal ulong RawPackets => (Has(EntryFields.OriginalPackets) ? Data.OriginalPackets : 0) + (Has(EntryFields.ReplyPackets) ? Data.ReplyPackets : 0);

    /// <summary>Bytes both ways, 0 without counters.</summary>
    internal ulong RawBytes => (Has(EntryFields.OriginalBytes) ? Data.OriginalBytes : 0) + (Has(EntryFields.ReplyBytes) ? Data.ReplyBytes : 0);

    /// <summary>True for an SCTP entry whose tags are not known. The kernel takes 0 for them, and what is no such tag's for
    /// invalid, until a HEARTBEAT of each direction shows the tag (nf_conntrack_sctp_packet).</summary>
    internal bool LacksVerificationTags =>
        Protocol == IPProtocol.Sctp && Details is not { OriginalVerificationTag: not null, ReplyVerificationTag: not null };

    /// <summary>True for an entry whose sequence numbers are shifted by an unknown offset: its ends don't understand each
    /// other without that, and no packet shows it.</summary>
    internal bool LacksSequenceShift =>
        (Status & ConntrackStatus.SeqAdjust) != 0 && Details is not ({ OriginalSequence: not null } or { ReplySequence: not null });

    /// <summary>Lets entries through that the kernel could have, and no others.</summary>
    /// <exception cref="IncompleteTupleException">A tuple of it or its master's is not whole.</exception>
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

    /// <summary>Gives it a timeout, in seconds.</summary>
    internal void SetTimeout(uint seconds) => (Data.Timeout, Fields) = (seconds, Fields | EntryFields.Timeout);

    /// <summary>Empties the object for the next entry.</summary>
    internal void Reset() => Data = default;

    /// <summary>A copy that shares nothing that could be changed.</summary>
    internal ConntrackEntry Clone() => CloneAs(new ConntrackEntry());

    /// <summary>Makes another object describe the same connection.</summary>
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

    /// <summary>Nothing is younger than 0 seconds, also where the clock was put back meanwhile.</summary>
    private static double SecondsSince(ulong start, ulong end) => end <= start ? 0 : Math.Round((end - start) / 1e9, 3);

    private static ulong Now() => (ulong)(DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;

    internal static DateTime ToLocalTime(ulong nanoseconds) =>
        DateTime.UnixEpoch.AddTicks((long)(nanoseconds / 100)).ToLocalTime();
}
