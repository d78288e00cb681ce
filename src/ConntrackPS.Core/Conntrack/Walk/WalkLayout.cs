using ConntrackPS.Bpf;

namespace ConntrackPS.Conntrack.Walk;

/// <summary>The places of an entry's values in the running kernel, from its own description of its types (BTF).</summary>
/// <remarks>struct nf_conn (net/netfilter/nf_conntrack.h), struct nf_conntrack_tuple (nf_conntrack_tuple.h), struct nf_ct_ext
/// (nf_conntrack_extend.h), struct nf_conn_acct, nf_conn_tstamp, nf_conn_labels, nf_conn_help.</remarks>
internal sealed class WalkLayout
{
    private const string Entry = "nf_conn", Node = "nf_conntrack_tuple_hash", Tuple = "nf_conntrack_tuple";

    /// <summary>The structs, enumerations and functions that are looked up.</summary>
    public static readonly string[] Wanted =
    [
        Entry, Node, Tuple, "nf_ct_ext", "nf_ct_ext_id", "nf_conn_acct", "nf_conn_counter", "nf_conn_tstamp", "nf_conn_help", "nf_conntrack_helper",
        "timespec64", "task_struct", "nsproxy", "bpf_rdonly_cast", "bpf_rcu_read_lock", "bpf_rcu_read_unlock",
        .. Trackers.Select(tracker => tracker.Function),
    ];

    /// <summary>The protocols that a kernel may be built without. It then tracks their packets without ports.</summary>
    private static Tracker[] Trackers =>
    [
        new(IPProtocol.UdpLite, "nf_conntrack_udplite_packet"),
        new(IPProtocol.Sctp, "nf_conntrack_sctp_packet"),
        new(IPProtocol.Dccp, "nf_conntrack_dccp_packet"),
        new(IPProtocol.Gre, "nf_conntrack_gre_packet"),
    ];

    private readonly BtfFile _kernel;
    private readonly bool[] _hasPorts = new bool[byte.MaxValue + 1];

    /// <param name="kernel">The kernel's own types.</param>
    /// <param name="module">Those of nf_conntrack, if it is a module.</param>
    /// <exception cref="FormatException">A type or a member is missing.</exception>
    public WalkLayout(BtfFile kernel, BtfFile? module = null)
    {
        _kernel = kernel;
        BtfFile types = module is null || kernel.Has(Entry) ? kernel : module;
        Types = types;
        EntrySize = types.SizeOf(Entry);
        NodeSize = types.SizeOf(Node);
        TuplesOffset = Of(Entry, "tuplehash");
        Next = Of(Node, "hnnode.next");
        TupleInNode = Of(Node, "tuple");
        Status = Of(Entry, "status");
        Timeout = Of(Entry, "timeout");
        Extensions = Of(Entry, "ext");
        Net = Of(Entry, "ct_net.net");
        Master = Of(Entry, "master");
        Mark = types.Find(Entry, "mark")?.Offset;
        ZoneId = types.Find(Entry, "zone.id")?.Offset;
        ZoneDirection = types.Find(Entry, "zone.dir")?.Offset;
        TcpState = Of(Entry, "proto.tcp.state");
        SctpState = types.Find(Entry, "proto.sctp.state");
        DccpState = types.Find(Entry, "proto.dccp.state");
        SourceAddress = Of(Tuple, "src.u3");
        SourcePort = Of(Tuple, "src.u");
        Family = Of(Tuple, "src.l3num");
        DestinationAddress = Of(Tuple, "dst.u3");
        DestinationPort = Of(Tuple, "dst.u");
        Protocol = Of(Tuple, "dst.protonum");
        Direction = Of(Tuple, "dst.dir");
        ExtensionOffsets = Of("nf_ct_ext", "offset");
        ExtensionSize = types.SizeOf("nf_ct_ext");
        Accounting = types.ValueOf("nf_ct_ext_id", "NF_CT_EXT_ACCT");
        Timestamp = types.ValueOf("nf_ct_ext_id", "NF_CT_EXT_TSTAMP");
        Labels = types.ValueOf("nf_ct_ext_id", "NF_CT_EXT_LABELS");
        Helper = types.ValueOf("nf_ct_ext_id", "NF_CT_EXT_HELPER");
        (Packets, Bytes) = Accounting is null ? (0, 0) : (Of("nf_conn_counter", "packets"), Of("nf_conn_counter", "bytes"));
        CounterSize = Accounting is null ? 0 : types.SizeOf("nf_conn_counter");
        Start = Timestamp is null ? 0 : Of("nf_conn_tstamp", "start");
        HelperPointer = Helper is null ? 0 : Of("nf_conn_help", "helper");
        HelperName = Helper is null ? 0 : Of("nf_conntrack_helper", "name");
        foreach (IPProtocol protocol in (ReadOnlySpan<IPProtocol>)[IPProtocol.Tcp, IPProtocol.Udp, IPProtocol.Icmp, IPProtocol.IcmpV6])
            _hasPorts[(byte)protocol] = true;
        foreach (Tracker tracker in Trackers)
            _hasPorts[(byte)tracker.Protocol] = types.Has(tracker.Function);
        NamespacesOfTask = kernel.Find("task_struct", "nsproxy")?.Offset ?? throw Missing("task_struct", "nsproxy");
        NetOfNamespaces = kernel.Find("nsproxy", "net_ns")?.Offset ?? throw Missing("nsproxy", "net_ns");
    }

    /// <summary>The file that describes entries.</summary>
    public BtfFile Types { get; }

    /// <summary>True if programs may read the kernel's structs as their own variables (bpf_rdonly_cast, 6.2). A cast knows only the
    /// kernel's own types, not those of modules.</summary>
    public bool HasCast => CastFunction is not null && ReferenceEquals(Types, _kernel) && _kernel.Has("timespec64");

    public uint? CastFunction => _kernel.NumberOf("bpf_rdonly_cast");

    /// <summary>bpf_rcu_read_lock and bpf_rcu_read_unlock (6.2).</summary>
    public (uint Lock, uint Unlock)? ReadLock =>
        _kernel.NumberOf("bpf_rcu_read_lock") is { } take && _kernel.NumberOf("bpf_rcu_read_unlock") is { } release ? (take, release) : null;

    /// <summary>A struct that begins with two numbers of 64 bits, to read any word as a number and not as a pointer.</summary>
    public uint WordType => _kernel.NumberOf("timespec64") ?? 0;

    public uint EntryType => Types.NumberOf(Entry) ?? 0;

    public uint NodeType => Types.NumberOf(Node) ?? 0;

    public uint ExtensionType => Types.NumberOf("nf_ct_ext") ?? 0;

    public int EntrySize { get; }

    public int NodeSize { get; }

    /// <summary>The original direction's node in an entry. The reply's follows it.</summary>
    public int TuplesOffset { get; }

    public int Next { get; }

    public int TupleInNode { get; }

    public int Status { get; }

    public int Timeout { get; }

    public int Extensions { get; }

    public int Net { get; }

    public int Master { get; }

    /// <summary>Null without CONFIG_NF_CONNTRACK_MARK.</summary>
    public int? Mark { get; }

    /// <summary>Null without CONFIG_NF_CONNTRACK_ZONES.</summary>
    public int? ZoneId { get; }

    public int? ZoneDirection { get; }

    public int TcpState { get; }

    /// <summary>An enumeration, whose size is the compiler's choice.</summary>
    public BtfMember? SctpState { get; }

    /// <summary>Null from 6.18 on.</summary>
    public BtfMember? DccpState { get; }

    public int SourceAddress { get; }

    public int SourcePort { get; }

    public int Family { get; }

    public int DestinationAddress { get; }

    public int DestinationPort { get; }

    public int Protocol { get; }

    public int Direction { get; }

    public int ExtensionOffsets { get; }

    public int ExtensionSize { get; }

    /// <summary>The numbers of the extensions, or null if the kernel is built without them.</summary>
    public int? Accounting { get; }

    public int? Timestamp { get; }

    public int? Labels { get; }

    public int? Helper { get; }

    public int Packets { get; }

    public int Bytes { get; }

    public int CounterSize { get; }

    public int Start { get; }

    public int HelperPointer { get; }

    public int HelperName { get; }

    public int NamespacesOfTask { get; }

    public int NetOfNamespaces { get; }

    /// <summary>True for a protocol whose tuples have ports, or an id or keys in their place.</summary>
    public bool HasPorts(IPProtocol protocol) => _hasPorts[(byte)protocol];

    private int Of(string type, string path) => Types.Find(type, path)?.Offset ?? throw Missing(type, path);

    private static FormatException Missing(string type, string path) => new($"The kernel's BTF has no {type}.{path}.");

    /// <summary>A protocol, and the function of a kernel that tracks it.</summary>
    private sealed record Tracker(IPProtocol Protocol, string Function);
}
