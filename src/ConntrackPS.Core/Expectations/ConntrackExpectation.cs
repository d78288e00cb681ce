using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Expectations;

/// <summary>A connection that a helper expects, because another connection, its master, announced it. The kernel recognises it by a tuple
/// and a mask (struct nf_conntrack_expect).</summary>
/// <remarks>The destination must match exactly; the mask is for the source. Null means that the kernel or the text lacks the
/// value.</remarks>
public class ConntrackExpectation
{
    internal ConntrackTuple Expected;
    internal ConntrackTuple Mask;
    internal ConntrackTuple Master;
    internal ConntrackTuple? Nat;

    private ExtraWords? _extra;

    /// <summary>The full key of the master, if more is known than the kernel reports for a listed expectation.</summary>
    internal EntryKey? MasterKey;

    /// <summary>True if the master's addresses are known, but not its protocol, which conntrack(8) never prints.</summary>
    internal bool IsMasterProtocolUnknown;

    internal ConntrackExpectation()
    {
    }

    /// <summary>The address family of the expected connection.</summary>
    public IPFamily AddressFamily => Expected.Family;

    /// <summary>The layer 4 protocol of the expected connection.</summary>
    public IPProtocol Protocol => Expected.Protocol;

    /// <summary>The source address of the expected connection, under the mask (CTA_EXPECT_TUPLE).</summary>
    public string SourceAddress => Expected.Source.ToString(Expected.Family);

    /// <summary>The source port, GRE key or ICMP id, under the mask. Usually 0, for any.</summary>
    public ushort? SourcePort => Expected.HasPorts ? Expected.SourcePort : null;

    /// <summary>The destination address of the expected connection, before translation.</summary>
    public string DestinationAddress => Expected.Destination.ToString(Expected.Family);

    /// <summary>The destination port or GRE key. For ICMP the type in the upper byte and the code in the lower.</summary>
    public ushort? DestinationPort => Expected.HasPorts ? Expected.DestinationPort : null;

    /// <summary>The bits of the source address that must match (CTA_EXPECT_MASK). All ones for a single address.</summary>
    public string? SourceMask => HasMask ? Mask.Source.ToString(Mask.Family) : null;

    /// <summary>The bits of the source port that must match. 0 for any port, 65535 for a single port.</summary>
    public ushort? SourcePortMask => HasMask && Expected.HasPorts ? Mask.SourcePort : null;

    /// <summary>The protocol of the master connection (CTA_EXPECT_MASTER).</summary>
    public IPProtocol? MasterProtocol => HasMaster && !IsMasterProtocolUnknown ? Master.Protocol : null;

    /// <summary>The source address of the master connection, in the original direction.</summary>
    public string? MasterSourceAddress => HasMaster ? Master.Source.ToString(Master.Family) : null;

    /// <summary>The source port of the master connection.</summary>
    public ushort? MasterSourcePort => Master.HasPorts ? Master.SourcePort : null;

    /// <summary>The destination address of the master connection.</summary>
    public string? MasterDestinationAddress => HasMaster ? Master.Destination.ToString(Master.Family) : null;

    /// <summary>The destination port of the master connection.</summary>
    public ushort? MasterDestinationPort => Master.HasPorts ? Master.DestinationPort : null;

    /// <summary>The master's helper, such as ftp (CTA_EXPECT_HELP_NAME).</summary>
    public string? Helper { get; internal set; }

    /// <summary>The helper's class of the expectation, from 0. Each class has a limit and a timeout (CTA_EXPECT_CLASS).</summary>
    public uint? Class { get; internal set; }

    /// <summary>How it behaves (CTA_EXPECT_FLAGS). Kernels 2.4 and 2.6 had none, or printed none.</summary>
    public ExpectationFlags? Flags { get; internal set; }

    /// <summary>The function that the kernel calls when the connection starts, such as nat-follow-master (CTA_EXPECT_FN).</summary>
    public string? Function { get; internal set; }

    /// <summary>The direction of the master that the expected connection has, if it is translated (CTA_EXPECT_NAT_DIR).</summary>
    public TupleDirection? NatDirection { get; internal set; }

    /// <summary>The address that the function translates to: the announced address before translation (CTA_EXPECT_NAT_TUPLE).</summary>
    public string? NatAddress => Nat is { } nat ? nat.Source.ToString(nat.Family) : null;

    /// <summary>The port that the function translates to.</summary>
    public ushort? NatPort => Nat is { HasPorts: true } nat ? nat.SourcePort : null;

    /// <summary>Seconds until the expectation expires (CTA_EXPECT_TIMEOUT).</summary>
    public uint? TimeoutSeconds { get; internal set; }

    /// <summary>The master's zone, 0 for none. The kernel finds an expectation only by its zone, but never reports it. Null for events, and
    /// if the master has ended meanwhile.</summary>
    public ushort? Zone { get; internal set; }

    /// <summary>The kernel's number for the expectation during its lifetime (CTA_EXPECT_ID).</summary>
    public uint? Id { get; internal set; }

    /// <summary>The network namespace that it was read in, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; internal set; }

    /// <summary>Words of a text that have no other property. A single word, also one in brackets, has the value "". Null if there are none,
    /// and for expectations of the kernel.</summary>
    public IReadOnlyDictionary<string, string>? Extra
    {
        get => _extra;
        internal set => _extra = ExtraWords.Of(value);
    }

    /// <summary>True if the mask is known.</summary>
    internal bool HasMask => Mask.Family != IPFamily.Unspecified;

    /// <summary>True if the master's addresses are known.</summary>
    internal bool HasMaster => Master.Family != IPFamily.Unspecified;

    /// <summary>Lets expectations through that say all that a new one needs: without the mask it would meet any connection.</summary>
    /// <exception cref="IncompleteTupleException">Parts of it are missing.</exception>
    internal void ThrowIfIncomplete()
    {
        IncompleteTupleException.ThrowIfIncomplete(Expected);
        if (!HasMask)
            throw new IncompleteTupleException(nameof(SourceMask));
        ThrowIfMasterIncomplete();
    }

    /// <summary>Lets expectations through that name their master.</summary>
    /// <exception cref="IncompleteTupleException">Parts of its tuple are missing.</exception>
    internal void ThrowIfMasterIncomplete()
    {
        IncompleteTupleException.ThrowIfIncomplete(Master, nameof(Master));
        if (IsMasterProtocolUnknown)
            throw new IncompleteTupleException(nameof(MasterProtocol));
    }

    /// <summary>The expected connection and its master on one line.</summary>
    public override string ToString()
    {
        string zone = Zone is null or 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" zone {Zone}");
        return HasMaster ? $"{Expected} expected by {DescribeMaster()}{zone}" : $"{Expected}{zone}";
    }

    /// <summary>The master without its protocol, where that is unknown.</summary>
    private string DescribeMaster()
    {
        string master = Master.ToString();
        return IsMasterProtocolUnknown ? master[(master.IndexOf(' ') + 1)..] : master;
    }
}

/// <summary>The flags of an expectation (NF_CT_EXPECT_*, linux/netfilter/nf_conntrack_common.h).</summary>
[Flags]
public enum ExpectationFlags : uint
{
    /// <summary>No flag is set: the first matching connection removes the expectation.</summary>
    None = 0,

    /// <summary>NF_CT_EXPECT_PERMANENT: it stays after a matching connection, until it expires.</summary>
    Permanent = 1 << 0,

    /// <summary>NF_CT_EXPECT_INACTIVE: it matches no connection yet.</summary>
    Inactive = 1 << 1,

    /// <summary>NF_CT_EXPECT_USERSPACE: a helper in user space created it. The kernel clears the bit in requests.</summary>
    Userspace = 1 << 2,
}

/// <summary>Identifies one expectation exactly.</summary>
/// <param name="Tuple">The tuple, exactly as listed.</param>
/// <param name="Zone">The master's zone.</param>
/// <param name="Id">The kernel's id. The tuple alone identifies any expectation that matches it, possibly another one.</param>
public readonly record struct ExpectationKey(ConntrackTuple Tuple, ushort Zone, uint Id)
{
    /// <summary>The expected connection on one line, with its zone if it is not 0.</summary>
    public override string ToString() =>
        Zone == 0 ? Tuple.ToString() : string.Create(CultureInfo.InvariantCulture, $"{Tuple} zone {Zone}");
}
