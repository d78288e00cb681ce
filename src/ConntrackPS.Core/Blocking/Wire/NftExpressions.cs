namespace ConntrackPS.Blocking.Wire;

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
}

/// <summary>NFTA_BITWISE_*.</summary>
internal enum BitwiseAttribute : ushort
{
    Sreg = 1,
    Dreg,
    Len,
    Mask,
    Xor,
}

/// <summary>NFTA_LOOKUP_*.</summary>
internal enum LookupAttribute : ushort
{
    Set = 1,
    Sreg,
}

/// <summary>NFTA_META_*.</summary>
internal enum MetaAttribute : ushort
{
    Dreg = 1,
    Key,
}

/// <summary>NFT_META_*.</summary>
internal enum MetaKey : uint
{
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
}

/// <summary>NFT_CT_*.</summary>
internal enum CtKey : uint
{
    Status = 2,
    ProtoSrc = 11,
    ProtoDst,
    SrcIp = 19,
    DstIp,
    SrcIp6,
    DstIp6,
}

/// <summary>NFTA_COUNTER_*.</summary>
internal enum CounterExpressionAttribute : ushort
{
    Bytes = 1,
    Packets,
}

/// <summary>Registers of nf_tables (enum nft_registers).</summary>
internal enum NftRegister : uint
{
    /// <summary>NFT_REG_VERDICT: what becomes of the packet.</summary>
    Verdict = 0,

    /// <summary>NFT_REG32_00: the first of 16 registers of 4 bytes.</summary>
    First = 8,
}
