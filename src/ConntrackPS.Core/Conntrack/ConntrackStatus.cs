namespace ConntrackPS.Conntrack;

/// <summary>What the kernel knows of a connection (enum ip_conntrack_status, linux/netfilter/nf_conntrack_common.h).</summary>
[Flags]
public enum ConntrackStatus : uint
{
    /// <summary>No bit is set.</summary>
    None = 0,

    /// <summary>IPS_EXPECTED: an expectation announced it.</summary>
    Expected = 1 << 0,

    /// <summary>IPS_SEEN_REPLY: packets went both ways.</summary>
    SeenReply = 1 << 1,

    /// <summary>IPS_ASSURED: never dropped early when the table is full.</summary>
    Assured = 1 << 2,

    /// <summary>IPS_CONFIRMED: its first packet has left the machine.</summary>
    Confirmed = 1 << 3,

    /// <summary>IPS_SRC_NAT: the source is translated.</summary>
    SrcNat = 1 << 4,

    /// <summary>IPS_DST_NAT: the destination is translated.</summary>
    DstNat = 1 << 5,

    /// <summary>IPS_SEQ_ADJUST: TCP sequence numbers are adjusted.</summary>
    SeqAdjust = 1 << 6,

    /// <summary>IPS_SRC_NAT_DONE: source translation was decided, perhaps for none.</summary>
    SrcNatDone = 1 << 7,

    /// <summary>IPS_DST_NAT_DONE: destination translation was decided, perhaps for none.</summary>
    DstNatDone = 1 << 8,

    /// <summary>IPS_DYING: out of the table, about to be freed.</summary>
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

/// <summary>The status bits that a request can set. The kernel ignores others without an error (IPS_UNCHANGEABLE_MASK of
/// nf_conntrack_common.h), or gives and takes them itself.</summary>
internal static class SettableStatus
{
    /// <summary>What a new entry can be given. What an entry has been given can't be taken away again.</summary>
    public const ConntrackStatus OfNew = ConntrackStatus.SeenReply | ConntrackStatus.Assured | ConntrackStatus.FixedTimeout;

    /// <summary>What can be set on an existing entry. A new one gets Helper with its helper.</summary>
    public const ConntrackStatus OfExisting = OfNew | ConntrackStatus.Helper;

    /// <summary>Every entry of the table has it, so that asking for it is no mistake.</summary>
    private const ConntrackStatus Always = ConntrackStatus.Confirmed;

    private const ConntrackStatus Translation =
        ConntrackStatus.SrcNat | ConntrackStatus.DstNat | ConntrackStatus.SrcNatDone | ConntrackStatus.DstNatDone;

    /// <summary>The bits, where all of them can be set.</summary>
    /// <param name="bits">The bits that are asked for.</param>
    /// <param name="settable">Those that can be set, or that the entry gets anyhow.</param>
    /// <exception cref="StatusNotSettableException">Some can't be set; the message names them.</exception>
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

/// <summary>Status bits were to be set that the kernel sets alone.</summary>
internal sealed class StatusNotSettableException(string message) : FormatException(message)
{
    /// <summary>Whether some of them tell of a translation, and come with it.</summary>
    internal bool IsOfTranslation { get; init; }
}
