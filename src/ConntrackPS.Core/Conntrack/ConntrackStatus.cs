namespace ConntrackPS.Conntrack;

/// <summary>The status bits of a connection (enum ip_conntrack_status, linux/netfilter/nf_conntrack_common.h).</summary>
[Flags]
public enum ConntrackStatus : uint
{
    /// <summary>No bit is set.</summary>
    None = 0,

    /// <summary>IPS_EXPECTED: it matched an expectation.</summary>
    Expected = 1 << 0,

    /// <summary>IPS_SEEN_REPLY: packets were seen in both directions.</summary>
    SeenReply = 1 << 1,

    /// <summary>IPS_ASSURED: not dropped early when the table is full.</summary>
    Assured = 1 << 2,

    /// <summary>IPS_CONFIRMED: its first packet has left the machine.</summary>
    Confirmed = 1 << 3,

    /// <summary>IPS_SRC_NAT: the source is translated.</summary>
    SrcNat = 1 << 4,

    /// <summary>IPS_DST_NAT: the destination is translated.</summary>
    DstNat = 1 << 5,

    /// <summary>IPS_SEQ_ADJUST: TCP sequence numbers are adjusted.</summary>
    SeqAdjust = 1 << 6,

    /// <summary>IPS_SRC_NAT_DONE: source translation was decided, possibly as none.</summary>
    SrcNatDone = 1 << 7,

    /// <summary>IPS_DST_NAT_DONE: destination translation was decided, possibly as none.</summary>
    DstNatDone = 1 << 8,

    /// <summary>IPS_DYING: removed from the table, not freed yet.</summary>
    Dying = 1 << 9,

    /// <summary>IPS_FIXED_TIMEOUT: packets don't renew the timeout.</summary>
    FixedTimeout = 1 << 10,

    /// <summary>IPS_TEMPLATE: a rule's template, not a connection.</summary>
    Template = 1 << 11,

    /// <summary>IPS_UNTRACKED: obsolete.</summary>
    Untracked = 1 << 12,

    /// <summary>IPS_HELPER: a rule or ctnetlink attached the helper.</summary>
    Helper = 1 << 13,

    /// <summary>IPS_OFFLOAD: a flow table forwards it.</summary>
    Offload = 1 << 14,

    /// <summary>IPS_HW_OFFLOAD: hardware forwards it.</summary>
    HwOffload = 1 << 15,
}

/// <summary>The status bits by which entries of the table differ.</summary>
internal static class TellingStatus
{
    /// <summary>Every entry of the table has this bit.</summary>
    public const ConntrackStatus OfEvery = ConntrackStatus.Confirmed;

    /// <summary>Some entries may have these bits. None has another one: an entry that is dying has left the table, and a template never is in
    /// it.</summary>
    private const ConntrackStatus OfSome = ConntrackStatus.Expected | ConntrackStatus.SeenReply | ConntrackStatus.Assured | ConntrackStatus.SrcNat
        | ConntrackStatus.DstNat | ConntrackStatus.SeqAdjust | ConntrackStatus.SrcNatDone | ConntrackStatus.DstNatDone | ConntrackStatus.FixedTimeout
        | ConntrackStatus.Helper | ConntrackStatus.Offload | ConntrackStatus.HwOffload;

    /// <summary>True if every entry has all of these bits.</summary>
    public static bool HasEvery(ConntrackStatus bits) => (bits & ~OfEvery) == 0;

    /// <summary>True if no entry has any of these bits.</summary>
    public static bool HasNone(ConntrackStatus bits) => (bits & (OfSome | OfEvery)) == 0;
}

/// <summary>The status bits that a request can set. The kernel ignores the others without an error (IPS_UNCHANGEABLE_MASK of
/// nf_conntrack_common.h), or sets and clears them itself.</summary>
internal static class SettableStatus
{
    /// <summary>The bits that can be set on a new entry. They can't be cleared later.</summary>
    public const ConntrackStatus OfNew = ConntrackStatus.SeenReply | ConntrackStatus.Assured | ConntrackStatus.FixedTimeout;

    /// <summary>The bits that can be set on an existing entry. A new one gets Helper with its helper.</summary>
    public const ConntrackStatus OfExisting = OfNew | ConntrackStatus.Helper;

    /// <summary>A request for this bit is not an error.</summary>
    private const ConntrackStatus Always = TellingStatus.OfEvery;

    private const ConntrackStatus Translation =
        ConntrackStatus.SrcNat | ConntrackStatus.DstNat | ConntrackStatus.SrcNatDone | ConntrackStatus.DstNatDone;

    /// <summary>Returns the bits if all of them can be set.</summary>
    /// <param name="bits">The requested bits.</param>
    /// <param name="settable">The bits that can be set, or that the kernel sets in any case.</param>
    /// <exception cref="StatusNotSettableException">Some bits can't be set. The message names them.</exception>
    internal static ConntrackStatus Check(ConntrackStatus bits, ConntrackStatus settable)
    {
        ConntrackStatus refused = bits & ~(settable | Always);
        if (refused == ConntrackStatus.None)
            return bits;
        throw new StatusNotSettableException($"Only the kernel can set the status {refused}. You can set {settable}.")
        {
            IsOfTranslation = (refused & Translation) != ConntrackStatus.None,
        };
    }
}

/// <summary>A request tried to set status bits that only the kernel sets.</summary>
internal sealed class StatusNotSettableException(string message) : FormatException(message)
{
    /// <summary>True if some of the bits describe a translation. They are set by creating the translation.</summary>
    internal bool IsOfTranslation { get; init; }
}
