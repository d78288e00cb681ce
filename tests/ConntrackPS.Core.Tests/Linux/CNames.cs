using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using ConntrackPS.Bpf;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Diagnosis;
using ConntrackPS.Expectations;
using ConntrackPS.Expectations.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Nftables;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Tests.Linux;

/// <summary>The C name of each of our constants. Names follow rules, so that later members are checked too.</summary>
internal static class CNames
{
    /// <summary>The prefix of the C names of an enum's members.</summary>
    private static readonly Dictionary<Type, string> Prefixes = new()
    {
        [typeof(MessageFlags)] = "NLM_F_",
        [typeof(NetlinkSocketOption)] = "NETLINK_",
        [typeof(ErrorAttribute)] = "NLMSGERR_ATTR_",
        [typeof(ConntrackMessage)] = "(NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_",
        [typeof(EntryAttribute)] = "CTA_",
        [typeof(TupleAttribute)] = "CTA_TUPLE_",
        [typeof(AddressAttribute)] = "CTA_IP_",
        [typeof(ProtocolAttribute)] = "CTA_PROTO_",
        [typeof(ProtoinfoAttribute)] = "CTA_PROTOINFO_",
        [typeof(TcpAttribute)] = "CTA_PROTOINFO_TCP_",
        [typeof(DccpAttribute)] = "CTA_PROTOINFO_DCCP_",
        [typeof(SctpAttribute)] = "CTA_PROTOINFO_SCTP_",
        [typeof(CounterAttribute)] = "CTA_COUNTERS_",
        [typeof(TimestampAttribute)] = "CTA_TIMESTAMP_",
        [typeof(SequenceAttribute)] = "CTA_SEQADJ_",
        [typeof(SynproxyAttribute)] = "CTA_SYNPROXY_",
        [typeof(HelperAttribute)] = "CTA_HELP_",
        [typeof(SecurityAttribute)] = "CTA_SECCTX_",
        [typeof(FilterAttribute)] = "CTA_FILTER_",
        [typeof(NatAttribute)] = "CTA_NAT_",
        [typeof(NatProtocolAttribute)] = "CTA_PROTONAT_",
        [typeof(StatsAttribute)] = "CTA_STATS_GLOBAL_",
        [typeof(CpuStatsAttribute)] = "CTA_STATS_",
        [typeof(ExpectationStatsAttribute)] = "CTA_STATS_EXP_",
        [typeof(ExpectationMessage)] = "(NFNL_SUBSYS_CTNETLINK_EXP << 8) | IPCTNL_MSG_EXP_",
        [typeof(ExpectationAttribute)] = "CTA_EXPECT_",
        [typeof(ExpectationNatAttribute)] = "CTA_EXPECT_NAT_",
        [typeof(ExpectationFlags)] = "NF_CT_EXPECT_",
        [typeof(TimeoutMessage)] = "(NFNL_SUBSYS_CTNETLINK_TIMEOUT << 8) | IPCTNL_MSG_TIMEOUT_",
        [typeof(TimeoutAttribute)] = "CTA_TIMEOUT_",
        [typeof(TimeoutProtocol)] = "IPPROTO_",
        [typeof(NftMessage)] = "(NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_",
        [typeof(BatchMessage)] = "NFNL_MSG_BATCH_",
        [typeof(TableAttribute)] = "NFTA_TABLE_",
        [typeof(TableFlags)] = "NFT_TABLE_F_",
        [typeof(ChainAttribute)] = "NFTA_CHAIN_",
        [typeof(HookAttribute)] = "NFTA_HOOK_",
        [typeof(RuleAttribute)] = "NFTA_RULE_",
        [typeof(ListAttribute)] = "NFTA_LIST_",
        [typeof(SetAttribute)] = "NFTA_SET_",
        [typeof(SetFlags)] = "NFT_SET_",
        [typeof(SetDescriptionAttribute)] = "NFTA_SET_DESC_",
        [typeof(DynamicSetAttribute)] = "NFTA_DYNSET_",
        [typeof(DynamicSetOperation)] = "NFT_DYNSET_OP_",
        [typeof(ConnlimitAttribute)] = "NFTA_CONNLIMIT_",
        [typeof(ConnlimitFlags)] = "NFT_CONNLIMIT_F_",
        [typeof(RejectAttribute)] = "NFTA_REJECT_",
        [typeof(RejectType)] = "NFT_REJECT_",
        [typeof(SetElementListAttribute)] = "NFTA_SET_ELEM_LIST_",
        [typeof(SetElementAttribute)] = "NFTA_SET_ELEM_",
        [typeof(SetElementFlags)] = "NFT_SET_ELEM_",
        [typeof(ExpressionAttribute)] = "NFTA_EXPR_",
        [typeof(DataAttribute)] = "NFTA_DATA_",
        [typeof(VerdictAttribute)] = "NFTA_VERDICT_",
        [typeof(ImmediateAttribute)] = "NFTA_IMMEDIATE_",
        [typeof(CompareAttribute)] = "NFTA_CMP_",
        [typeof(CompareOperator)] = "NFT_CMP_",
        [typeof(BitwiseAttribute)] = "NFTA_BITWISE_",
        [typeof(LookupAttribute)] = "NFTA_LOOKUP_",
        [typeof(MetaAttribute)] = "NFTA_META_",
        [typeof(MetaKey)] = "NFT_META_",
        [typeof(PayloadAttribute)] = "NFTA_PAYLOAD_",
        [typeof(PayloadBase)] = "NFT_PAYLOAD_",
        [typeof(CtAttribute)] = "NFTA_CT_",
        [typeof(CtKey)] = "NFT_CT_",
        [typeof(GenerationAttribute)] = "NFTA_GEN_",
        [typeof(ObjectAttribute)] = "NFTA_OBJ_",
        [typeof(ObjectType)] = "NFT_OBJECT_",
        [typeof(HelperObjectAttribute)] = "NFTA_CT_HELPER_",
        [typeof(ObjectReferenceAttribute)] = "NFTA_OBJREF_",
        [typeof(TargetAttribute)] = "NFTA_TARGET_",
        [typeof(MatchAttribute)] = "NFTA_MATCH_",
        [typeof(TranslationAttribute)] = "NFTA_NAT_",
        [typeof(TranslationType)] = "NFT_NAT_",
        [typeof(MasqueradeAttribute)] = "NFTA_MASQ_",
        [typeof(RedirectAttribute)] = "NFTA_REDIR_",
        [typeof(RangeAttribute)] = "NFTA_RANGE_",
        [typeof(RangeOperator)] = "NFT_RANGE_",
        [typeof(ByteorderAttribute)] = "NFTA_BYTEORDER_",
        [typeof(LookupFlags)] = "NFT_LOOKUP_F_",
        [typeof(ChainVerdict)] = "NFT_",
        [typeof(PacketStates)] = "NF_CT_STATE_",
        [typeof(CounterExpressionAttribute)] = "NFTA_COUNTER_",
        [typeof(NftRegister)] = "NFT_REG_",
        [typeof(NetfilterProtocol)] = "NFPROTO_",
        [typeof(Hook)] = "NF_INET_",
        [typeof(HookPriority)] = "NF_IP_PRI_",
        [typeof(PacketVerdict)] = "NF_",
        [typeof(NetfilterGroup)] = "NFNLGRP_",
        [typeof(ConntrackStatus)] = "IPS_",
        [typeof(TcpTrackingFlags)] = "IP_CT_TCP_FLAG_",
        [typeof(IPProtocol)] = "IPPROTO_",
        [typeof(Errno)] = "E",
        [typeof(BpfCommand)] = "BPF_",
        [typeof(BpfProgramType)] = "BPF_PROG_TYPE_",
        [typeof(BpfHelper)] = "BPF_FUNC_",
        [typeof(BtfKind)] = "BTF_KIND_",
        [typeof(BpfOperation)] = "BPF_",
        [typeof(BpfCondition)] = "BPF_",
        [typeof(BpfWidth)] = "BPF_",
        [typeof(BpfRegister)] = "BPF_REG_",
    };

    /// <summary>Members whose C name follows no rule. Null if no header has one.</summary>
    private static readonly Dictionary<string, string?> Exceptions = new()
    {
        ["MessageFlags.DumpInterrupted"] = "NLM_F_DUMP_INTR",
        ["MessageFlags.Exclusive"] = "NLM_F_EXCL",
        ["MessageFlags.AckAttributes"] = "NLM_F_ACK_TLVS",
        ["MessageFlags.None"] = null,
        ["TableFlags.None"] = null,
        ["SetFlags.Dynamic"] = "NFT_SET_EVAL",
        ["DynamicSetAttribute.Operation"] = "NFTA_DYNSET_OP",
        ["DynamicSetAttribute.Expression"] = "NFTA_DYNSET_EXPR",
        ["ConnlimitFlags.Over"] = "NFT_CONNLIMIT_F_INV",
        ["RejectType.IcmpxUnreach"] = "NFT_REJECT_ICMPX_UNREACH",
        ["ConntrackStatus.None"] = null,
        ["TcpTrackingFlags.None"] = null,
        ["ExpectationFlags.None"] = null,
        ["TcpTrackingFlags.ExpChallengeAck"] = "IP_CT_EXP_CHALLENGE_ACK",
        ["TcpTrackingFlags.SimultaneousOpen"] = "IP_CT_TCP_SIMULTANEOUS_OPEN",
        ["IPProtocol.IpIp"] = "IPPROTO_IPIP",
        ["IPProtocol.IPv6"] = "IPPROTO_IPV6",
        ["IPProtocol.IcmpV6"] = "IPPROTO_ICMPV6",
        ["TimeoutProtocol.IcmpV6"] = "IPPROTO_ICMPV6",
        ["TimeoutProtocol.UdpLite"] = "IPPROTO_UDPLITE",
        ["TimeoutProtocol.Generic"] = "IPPROTO_RAW",
        ["IPProtocol.UdpLite"] = "IPPROTO_UDPLITE",
        ["IPProtocol.Ospf"] = null,
        ["IPProtocol.Vrrp"] = null,
        ["Errno.None"] = null,
        ["Errno.NotPermitted"] = "EPERM",
        ["Errno.NotFound"] = "ENOENT",
        ["Errno.Interrupted"] = "EINTR",
        ["Errno.TryAgain"] = "EAGAIN",
        ["Errno.OutOfMemory"] = "ENOMEM",
        ["Errno.AccessDenied"] = "EACCES",
        ["Errno.Stale"] = "ESTALE",
        ["Errno.Exists"] = "EEXIST",
        ["Errno.InvalidArgument"] = "EINVAL",
        ["Errno.TooMany"] = "EMFILE",
        ["Errno.NoSpace"] = "ENOSPC",
        ["Errno.ReadOnlyFileSystem"] = "EROFS",
        ["Errno.BrokenPipe"] = "EPIPE",
        ["Errno.OutOfRange"] = "ERANGE",
        ["Errno.NotImplemented"] = "ENOSYS",
        ["Errno.MessageTooLong"] = "EMSGSIZE",
        ["Errno.ProtocolNotSupported"] = "EPROTONOSUPPORT",
        ["Errno.NotSupported"] = "EOPNOTSUPP",
        ["Errno.AddressFamilyNotSupported"] = "EAFNOSUPPORT",
        ["Errno.AddressInUse"] = "EADDRINUSE",
        ["Errno.NoBuffers"] = "ENOBUFS",
        ["Errno.ShutDown"] = "ESHUTDOWN",
        ["Errno.TimedOut"] = "ETIMEDOUT",

        ["BpfProgramType.RawTracepoint"] = "BPF_PROG_TYPE_RAW_TRACEPOINT",
        ["BpfHelper.KtimeGetNs"] = "BPF_FUNC_ktime_get_ns",
        ["BpfHelper.GetCurrentTask"] = "BPF_FUNC_get_current_task",
        ["BpfHelper.ProbeReadKernel"] = "BPF_FUNC_probe_read_kernel",
        ["BpfHelper.Jiffies64"] = "BPF_FUNC_jiffies64",
        ["BpfHelper.KallsymsLookupName"] = "BPF_FUNC_kallsyms_lookup_name",
        ["BpfHelper.Loop"] = "BPF_FUNC_loop",
        ["BpfCondition.Equal"] = "BPF_JEQ",
        ["BpfCondition.Greater"] = "BPF_JGT",
        ["BpfCondition.GreaterOrEqual"] = "BPF_JGE",
        ["BpfCondition.AnyBit"] = "BPF_JSET",
        ["BpfCondition.NotEqual"] = "BPF_JNE",
        ["BpfCondition.Less"] = "BPF_JLT",
        ["BpfCondition.LessOrEqual"] = "BPF_JLE",
        ["BpfCondition.SignedLessOrEqual"] = "BPF_JSLE",
        ["BpfWidth.Word"] = "BPF_W",
        ["BpfWidth.Half"] = "BPF_H",
        ["BpfWidth.Byte"] = "BPF_B",
        ["BpfWidth.Double"] = "BPF_DW",
        ["BpfRegister.R0"] = "BPF_REG_0",
        ["BpfRegister.R1"] = "BPF_REG_1",
        ["BpfRegister.R2"] = "BPF_REG_2",
        ["BpfRegister.R3"] = "BPF_REG_3",
        ["BpfRegister.R4"] = "BPF_REG_4",
        ["BpfRegister.R5"] = "BPF_REG_5",
        ["BpfRegister.R6"] = "BPF_REG_6",
        ["BpfRegister.R7"] = "BPF_REG_7",
        ["BpfRegister.R8"] = "BPF_REG_8",
        ["BpfRegister.R9"] = "BPF_REG_9",
        ["BpfRegister.Frame"] = "BPF_REG_10",
        ["PacketStates.None"] = null,
        ["PacketStates.Invalid"] = "NF_CT_STATE_INVALID_BIT",
        ["PacketStates.Established"] = "NF_CT_STATE_BIT(IP_CT_ESTABLISHED)",
        ["PacketStates.Related"] = "NF_CT_STATE_BIT(IP_CT_RELATED)",
        ["PacketStates.New"] = "NF_CT_STATE_BIT(IP_CT_NEW)",
        ["PacketStates.Untracked"] = "NF_CT_STATE_UNTRACKED_BIT",
        ["RejectType.TcpReset"] = "NFT_REJECT_TCP_RST",
        ["NftRegister.First"] = "NFT_REG32_00",
        ["HookPriority.AfterConntrack"] = "NF_IP_PRI_CONNTRACK + 1",
        ["HookPriority.AfterNatSrc"] = "NF_IP_PRI_NAT_SRC + 1",

        // Newer than the headers of most distributions.
        ["EntryAttribute.TimestampEvent"] = null,
        ["ControlMessage.FirstData"] = "NLMSG_MIN_TYPE",
        ["NetlinkProtocol.NetfilterFamily"] = "NETLINK_NETFILTER",
        ["NetlinkProtocol.SocketLevel"] = "SOL_NETLINK",
        ["NetlinkProtocol.HeaderSize"] = "sizeof(struct nlmsghdr)",
        ["NetlinkProtocol.NetfilterHeaderSize"] = "sizeof(struct nfgenmsg)",
        ["NetlinkProtocol.AttributeHeaderSize"] = "sizeof(struct nlattr)",
        ["NetlinkProtocol.NestedFlag"] = "NLA_F_NESTED",
        ["NetlinkProtocol.AttributeTypeMask"] = "NLA_TYPE_MASK & 0xffff",
        ["NetlinkProtocol.DatagramSize"] = null,
    };

    /// <summary>The C expression and the value of each of our constants. All are the same on every processor.</summary>
    public static IReadOnlyList<(string Expression, long Value)> OfEveryConstant() =>
    [
        .. Prefixes.SelectMany(pair => OfEnum(pair.Key, pair.Value)),
        .. OfConstants(typeof(LibC), "", isCName: true),
        .. OfConstants(typeof(ControlMessage), "NLMSG_"),
        .. OfConstants(typeof(NetlinkProtocol), ""),
        ("AF_UNSPEC", (long)IPFamily.Unspecified),
        ("AF_INET", (long)IPFamily.IPv4),
        ("AF_INET6", (long)IPFamily.IPv6),
        ("IP_CT_DIR_ORIGINAL", (long)TupleDirection.Original),
        ("IP_CT_DIR_REPLY", (long)TupleDirection.Reply),
        ("NFNL_SUBSYS_NFTABLES", NftTransaction.Subsystem),
    ];

    /// <summary>No user-space header has the DCCP states.</summary>
    public static IReadOnlyList<(string Expression, long Value)> OfEveryState() =>
    [
        .. OfStates(IPProtocol.Tcp, "TCP_CONNTRACK_"),
        .. OfStates(IPProtocol.Sctp, "SCTP_CONNTRACK_"),
    ];

    /// <summary>The enums with kernel numbers, to check that none was forgotten here.</summary>
    public static IEnumerable<Type> CheckedEnums => [.. Prefixes.Keys, typeof(IPFamily), typeof(TupleDirection), typeof(ConntrackState),
        // Only in the kernel's source (CTA_FILTER_F_* of nf_internals.h). The filter tests check their effect.
        typeof(TupleFields)];

    /// <summary>The constants of Tmds.LibC that the library uses, and the system call numbers.</summary>
    /// <param name="tmds">The package's assembly for a processor.</param>
    /// <param name="processor">The processor.</param>
    public static IReadOnlyList<(string Expression, long Value)> OfProcessor(Assembly tmds, Architecture processor)
    {
        string[] sources = [.. Repository.Sources("src/ConntrackPS.Core").Where(text => text.Contains("using static Tmds.Linux.LibC;", StringComparison.Ordinal))];
        Assert.NotEmpty(sources);
        HashSet<string> words = [.. sources.SelectMany(text => Regex.Matches(text, @"(?<![\w.])[A-Z][A-Z0-9]*_?[A-Z0-9_]+\b").Select(match => match.Value))];
        (string, long)[] found =
        [
            .. tmds.GetType("Tmds.Linux.LibC", throwOnError: true)!.GetProperties(BindingFlags.Public | BindingFlags.Static)
                .Where(property => words.Contains(property.Name))
                .Select(property => (property.Name, Convert.ToInt64(property.GetValue(null)!.ToString(), CultureInfo.InvariantCulture))),
        ];
        Assert.True(found.Length > 20, $"only {found.Length} constants of Tmds.LibC were found in the source");
        (int statx, int renameAt2, int bpf) = LibC.SystemCallsOf(processor);
        return [.. found, ("SYS_statx", statx), ("SYS_renameat2", renameAt2), ("SYS_bpf", bpf)];
    }

    private static IEnumerable<(string Expression, long Value)> OfStates(IPProtocol protocol, string prefix) =>
        ConntrackStates.Of(protocol).Select((state, number) => (prefix + Names.UpperSnake(state.ToString()), (long)number));

    private static IEnumerable<(string Expression, long Value)> OfEnum(Type type, string prefix) =>
        from field in type.GetFields(BindingFlags.Public | BindingFlags.Static)
        let name = CName(type, field.Name, prefix, isCName: false)
        where name is not null
        select (name, Convert.ToInt64(field.GetRawConstantValue(), CultureInfo.InvariantCulture));

    private static IEnumerable<(string Expression, long Value)> OfConstants(Type type, string prefix, bool isCName = false) =>
        from field in type.GetFields(BindingFlags.Public | BindingFlags.Static)
        where field.IsLiteral
        let name = CName(type, field.Name, prefix, isCName)
        where name is not null
        select (name, Convert.ToInt64(field.GetRawConstantValue(), CultureInfo.InvariantCulture));

    private static string? CName(Type type, string name, string prefix, bool isCName) =>
        Exceptions.TryGetValue($"{type.Name}.{name}", out string? exception)
            ? exception
            : prefix + (isCName ? name : Names.UpperSnake(name));
}
