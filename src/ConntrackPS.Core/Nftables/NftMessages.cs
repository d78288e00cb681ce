namespace ConntrackPS.Nftables;

/// <summary>Messages of subsystem NFNL_SUBSYS_NFTABLES (enum nf_tables_msg_types, linux/netfilter/nf_tables.h).</summary>
internal enum NftMessage : ushort
{
    Newtable = 0xa00,
    Gettable,
    Deltable,
    Newchain = 0xa03,
    Getchain,
    Newrule = 0xa06,
    Getrule = 0xa07,
    Newset = 0xa09,
    Getset,
    Newsetelem = 0xa0c,
    Getsetelem,
    Getgen = 0xa10,
    Newobj = 0xa12,
    Getobj,
}

/// <summary>NFNL_MSG_BATCH_* (linux/netfilter/nfnetlink.h): the messages between them are applied completely or not at all.</summary>
internal enum BatchMessage : ushort
{
    Begin = 0x10,
    End = 0x11,
}

/// <summary>NFTA_TABLE_*.</summary>
internal enum TableAttribute : ushort
{
    Name = 1,
    Flags,
    Userdata = 6,
    Owner,
}

/// <summary>NFT_TABLE_F_*.</summary>
[Flags]
internal enum TableFlags : uint
{
    None = 0,

    /// <summary>The chains of the table see no packets.</summary>
    Dormant = 1,

    /// <summary>The table belongs to the socket that created it, and is removed when that is closed (Linux 5.12).</summary>
    Owner = 2,
}

/// <summary>NFTA_CHAIN_*.</summary>
internal enum ChainAttribute : ushort
{
    Table = 1,
    Name = 3,
    Hook,
    Policy,
    Type = 7,
}

/// <summary>NFTA_HOOK_*.</summary>
internal enum HookAttribute : ushort
{
    Hooknum = 1,
    Priority,
}

/// <summary>NFTA_RULE_*.</summary>
internal enum RuleAttribute : ushort
{
    Table = 1,
    Chain,
    Handle,
    Expressions,
}

/// <summary>NFTA_LIST_*.</summary>
internal enum ListAttribute : ushort
{
    Elem = 1,
}

/// <summary>NFTA_SET_*.</summary>
internal enum SetAttribute : ushort
{
    Table = 1,
    Name,
    Flags,
    KeyType,
    KeyLen,
    DataType,
    Desc = 9,
    Id = 10,
    ObjType = 15,
}

/// <summary>NFTA_SET_DESC_*.</summary>
internal enum SetDescriptionAttribute : ushort
{
    Size = 1,
}

/// <summary>NFT_SET_*.</summary>
[Flags]
internal enum SetFlags : uint
{
    Interval = 4,
    Timeout = 0x10,

    /// <summary>NFT_SET_EVAL: rules add elements (flag dynamic of nft).</summary>
    Dynamic = 0x20,
}

/// <summary>NFTA_SET_ELEM_LIST_*.</summary>
internal enum SetElementListAttribute : ushort
{
    Table = 1,
    Set,
    Elements,
}

/// <summary>NFTA_SET_ELEM_*.</summary>
internal enum SetElementAttribute : ushort
{
    Key = 1,
    Data,
    Flags,
    Objref = 9,
    KeyEnd,
}

/// <summary>NFT_SET_ELEM_*.</summary>
[Flags]
internal enum SetElementFlags : uint
{
    IntervalEnd = 1,

    /// <summary>The element matches what no other element does (<c>*</c> of nft).</summary>
    Catchall = 2,
}

/// <summary>Families of nf_tables (NFPROTO_*, linux/netfilter.h).</summary>
internal enum NetfilterProtocol : byte
{
    /// <summary>IPv4 and IPv6 in one table.</summary>
    Inet = 1,
    Ipv4 = 2,
    Arp = 3,
    Netdev = 5,
    Bridge = 7,
    Ipv6 = 10,
}

/// <summary>The hooks on the path of a packet through the kernel (NF_INET_*, linux/netfilter.h).</summary>
internal enum Hook : uint
{
    PreRouting = 0,
    LocalIn = 1,
    Forward,
    LocalOut,
    PostRouting,
}

/// <summary>The order of chains at a hook (NF_IP_PRI_*, linux/netfilter_ipv4.h).</summary>
internal enum HookPriority
{
    /// <summary>NF_IP_PRI_RAW: after defragmentation, before connection tracking.</summary>
    Raw = -300,

    /// <summary>NF_IP_PRI_CONNTRACK + 1: the packet's entry is known. A new entry is not in the table yet.</summary>
    AfterConntrack = -199,

    /// <summary>NF_IP_PRI_NAT_SRC + 1: the translation is known too. A new entry is not in the table yet.</summary>
    AfterNatSrc = 101,
}

/// <summary>Verdicts (NF_*, linux/netfilter.h).</summary>
internal enum PacketVerdict : uint
{
    Drop,
    Accept,
}

/// <summary>Verdicts of nf_tables beside those of netfilter (NFT_*, enum nft_verdicts).</summary>
internal enum ChainVerdict
{
    Continue = -1,
    Break = -2,
    Jump = -3,

    /// <summary>The packet continues in another chain, and does not come back to this one.</summary>
    Goto = -4,

    Return = -5,
}

/// <summary>NFTA_EXPR_* (linux/netfilter/nf_tables.h).</summary>
internal enum ExpressionAttribute : ushort
{
    Name = 1,
    Data,
}

/// <summary>NFTA_DATA_*.</summary>
internal enum DataAttribute : ushort
{
    Value = 1,
    Verdict,
}

/// <summary>NFTA_VERDICT_*.</summary>
internal enum VerdictAttribute : ushort
{
    Code = 1,
    Chain,
}

/// <summary>NFTA_IMMEDIATE_*.</summary>
internal enum ImmediateAttribute : ushort
{
    Dreg = 1,
    Data,
}

/// <summary>NFTA_CMP_*.</summary>
internal enum CompareAttribute : ushort
{
    Sreg = 1,
    Op,
    Data,
}

/// <summary>NFT_CMP_*.</summary>
internal enum CompareOperator : uint
{
    Eq,
    Neq,
    Lt,
    Lte,
    Gt,
    Gte,
}

/// <summary>NFTA_RANGE_*.</summary>
internal enum RangeAttribute : ushort
{
    Sreg = 1,
    Op,
    FromData,
    ToData,
}

/// <summary>NFT_RANGE_*.</summary>
internal enum RangeOperator : uint
{
    Eq,
    Neq,
}

/// <summary>NFTA_BYTEORDER_*.</summary>
internal enum ByteorderAttribute : ushort
{
    Sreg = 1,
    Dreg,
    Len = 4,
    Size,
}

/// <summary>NFTA_BITWISE_*.</summary>
internal enum BitwiseAttribute : ushort
{
    Sreg = 1,
    Dreg,
    Len,
    Mask,
    Xor,
    Op,
}

/// <summary>NFTA_LOOKUP_*.</summary>
internal enum LookupAttribute : ushort
{
    Set = 1,
    Sreg,
    Dreg,
    Flags = 5,
}

/// <summary>NFT_LOOKUP_F_*.</summary>
[Flags]
internal enum LookupFlags : uint
{
    /// <summary>The rule continues if the set has no such element.</summary>
    Inv = 1,
}

/// <summary>NFTA_META_*.</summary>
internal enum MetaAttribute : ushort
{
    Dreg = 1,
    Key,
    Sreg,
}

/// <summary>NFT_META_*.</summary>
internal enum MetaKey : uint
{
    Protocol = 1,
    Iif = 4,
    Oif,
    Iifname,
    Oifname,
    Nftrace = 12,
    Nfproto = 15,
    L4proto,
}

/// <summary>NFTA_PAYLOAD_*.</summary>
internal enum PayloadAttribute : ushort
{
    Dreg = 1,
    Base,
    Offset,
    Len,
    Sreg,
}

/// <summary>NFT_PAYLOAD_*.</summary>
internal enum PayloadBase : uint
{
    NetworkHeader = 1,
    TransportHeader,
}

/// <summary>NFTA_CT_*.</summary>
internal enum CtAttribute : ushort
{
    Dreg = 1,
    Key,
    Direction,
    Sreg,
}

/// <summary>NFT_CT_*.</summary>
internal enum CtKey : uint
{
    State,
    Direction,
    Status,
    Mark,
    Secmark,
    Expiration,
    Helper,
    L3protocol,
    Src,
    Dst,
    Protocol,
    ProtoSrc,
    ProtoDst,
    Labels,
    Pkts,
    Bytes,
    Avgpkt,
    Zone,
    Eventmask,
    SrcIp,
    DstIp,
    SrcIp6,
    DstIp6,
    Id,
}

/// <summary>The states of packets in rules, as the bits that nft_ct.c compares (NF_CT_STATE_*). A packet has exactly one.</summary>
[Flags]
internal enum PacketStates : uint
{
    None = 0,
    Invalid = 1,
    Established = 2,
    Related = 4,
    New = 8,

    /// <summary>The packet belongs to no connection, because a rule exempts it (notrack).</summary>
    Untracked = 64,
}

/// <summary>NFTA_COUNTER_*.</summary>
internal enum CounterExpressionAttribute : ushort
{
    Bytes = 1,
    Packets,
}

/// <summary>NFTA_GEN_*.</summary>
internal enum GenerationAttribute : ushort
{
    Id = 1,
}

/// <summary>NFTA_OBJ_*.</summary>
internal enum ObjectAttribute : ushort
{
    Table = 1,
    Name,
    Type,
    Data,
}

/// <summary>Types of named objects (NFT_OBJECT_*).</summary>
internal enum ObjectType : uint
{
    Counter = 1,
    Quota,
    CtHelper,
    Limit,
    Connlimit,
    Tunnel,
    CtTimeout,
    Secmark,
    CtExpect,
    Synproxy,
}

/// <summary>NFTA_CT_HELPER_*: the data of an object that attaches a helper.</summary>
internal enum HelperObjectAttribute : ushort
{
    Name = 1,
    L3proto,
    L4proto,
}

/// <summary>NFTA_OBJREF_*: the expression that uses an object, or the object that a map has for a packet.</summary>
internal enum ObjectReferenceAttribute : ushort
{
    ImmType = 1,
    ImmName,
    SetName = 4,
}

/// <summary>NFTA_TARGET_*: the expression for a target of iptables (linux/netfilter/nf_tables_compat.h).</summary>
internal enum TargetAttribute : ushort
{
    Name = 1,
    Rev,
    Info,
}

/// <summary>NFTA_MATCH_*: the expression for a match of iptables (linux/netfilter/nf_tables_compat.h).</summary>
internal enum MatchAttribute : ushort
{
    Name = 1,
    Rev,
    Info,
}

/// <summary>NFTA_NAT_*.</summary>
internal enum TranslationAttribute : ushort
{
    Type = 1,
    Family,
    RegAddrMin,
    RegAddrMax,
    RegProtoMin,
    RegProtoMax,
}

/// <summary>NFT_NAT_*.</summary>
internal enum TranslationType : uint
{
    Snat,
    Dnat,
}

/// <summary>NFTA_MASQ_*.</summary>
internal enum MasqueradeAttribute : ushort
{
    RegProtoMin = 2,
    RegProtoMax,
}

/// <summary>NFTA_REDIR_*.</summary>
internal enum RedirectAttribute : ushort
{
    RegProtoMin = 1,
    RegProtoMax,
}

/// <summary>Registers of nf_tables (enum nft_registers).</summary>
internal enum NftRegister : uint
{
    /// <summary>NFT_REG_VERDICT: the verdict on the packet.</summary>
    Verdict = 0,

    /// <summary>NFT_REG32_00: the first of 16 registers of 4 bytes.</summary>
    First = 8,
}

/// <summary>NFTA_DYNSET_*.</summary>
internal enum DynamicSetAttribute : ushort
{
    SetName = 1,
    SetId,
    Operation,
    SregKey,
    SregData,
    Timeout,
    Expression,
}

/// <summary>NFT_DYNSET_OP_*.</summary>
internal enum DynamicSetOperation : uint
{
    Add,
}

/// <summary>NFTA_CONNLIMIT_*.</summary>
internal enum ConnlimitAttribute : ushort
{
    Count = 1,
    Flags,
}

/// <summary>NFT_CONNLIMIT_F_*.</summary>
[Flags]
internal enum ConnlimitFlags : uint
{
    /// <summary>The rule continues if there are more connections than the number.</summary>
    Over = 1,
}

/// <summary>NFTA_REJECT_*.</summary>
internal enum RejectAttribute : ushort
{
    Type = 1,
    IcmpCode,
}

/// <summary>NFT_REJECT_*.</summary>
internal enum RejectType : uint
{
    TcpRst = 1,
    IcmpxUnreach,
}
