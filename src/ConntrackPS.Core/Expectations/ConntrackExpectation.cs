using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Expectations;

/// <summary>A connection that a helper has read about in another one, its master, and that the kernel will recognise by
/// a tuple and a mask when it comes (struct nf_conntrack_expect).</summary>
/// <remarks>The destination must always be met exactly; the mask is about the source. Null means that the kernel or the text that it
/// was read from did not tell.</remarks>
public class ConntrackExpectation
{
    internal ConntrackTuple Expected;
    internal ConntrackTuple Mask;
    internal ConntrackTuple Master;
    internal ConntrackTuple? Nat;

    /// <summary>The master's whole name, where more is known of it than the kernel tells of a listed expectation.</summary>
    internal EntryKey? MasterKey;

    /// <summary>True where the master's addresses are known, but not its protocol, which conntrack(8) never prints.</summary>
    internal bool IsMasterProtocolUnknown;

    internal ConntrackExpectation()
    {
    }

    /// <summary>The address family of the expected connection.</summary>
    public IPFamily AddressFamily => Expected.Family;

    /// <summary>The layer 4 protocol of the expected connection.</summary>
    public IPProtocol Protocol => Expected.Protocol;

    /// <summary>Where the expected connection comes from, as far as the mask goes (CTA_EXPECT_TUPLE).</summary>
    public string SourceAddress => Expected.Source.ToString(Expected.Family);

    /// <summary>Its source port, GRE key or ICMP id, as far as the mask goes; 0 usually stands for any.</summary>
    public ushort? SourcePort => Expected.HasPorts ? Expected.SourcePort : null;

    /// <summary>Where the expected connection goes to, before translation.</summary>
    public string DestinationAddress => Expected.Destination.ToString(Expected.Family);

    /// <summary>Its destination port or GRE key; for ICMP the type in the upper byte and the code in the lower.</summary>
    public ushort? DestinationPort => Expected.HasPorts ? Expected.DestinationPort : null;

    /// <summary>The bits of the source address that must be met (CTA_EXPECT_MASK); all ones for one address alone.</summary>
    public string? SourceMask => HasMask ? Mask.Source.ToString(Mask.Family) : null;

    /// <summary>The bits of the source port that must be met; 0 for any port, 65535 for that one alone.</summary>
    public ushort? SourcePortMask => HasMask && Expected.HasPorts ? Mask.SourcePort : null;

    /// <summary>The protocol of the connection that announced it (CTA_EXPECT_MASTER).</summary>
    public IPProtocol? MasterProtocol => HasMaster && !IsMasterProtocolUnknown ? Master.Protocol : null;

    /// <summary>The source address of the connection that announced it, in the original direction.</summary>
    public string? MasterSourceAddress => HasMaster ? Master.Source.ToString(Master.Family) : null;

    /// <summary>The source port of the connection that announced it.</summary>
    public ushort? MasterSourcePort => Master.HasPorts ? Master.SourcePort : null;

    /// <summary>The destination address of the connection that announced it.</summary>
    public string? MasterDestinationAddress => HasMaster ? Master.Destination.ToString(Master.Family) : null;

    /// <summary>The destination port of the connection that announced it.</summary>
    public ushort? MasterDestinationPort => Master.HasPorts ? Master.DestinationPort : null;

    /// <summary>The master's helper, such as ftp (CTA_EXPECT_HELP_NAME).</summary>
    public string? Helper { get; internal set; }

    /// <summary>Which of the helper's kinds of expectations, 0 for its first; each has a limit and a timeout
    /// (CTA_EXPECT_CLASS).</summary>
    public uint? Class { get; internal set; }

    /// <summary>How it behaves (CTA_EXPECT_FLAGS). Kernels 2.4 and 2.6 had none, or printed none.</summary>
    public ExpectationFlags? Flags { get; internal set; }

    /// <summary>What the kernel calls when the connection comes, such as nat-follow-master (CTA_EXPECT_FN).</summary>
    public string? Function { get; internal set; }

    /// <summary>The master's direction that the expected connection takes, where it is translated (CTA_EXPECT_NAT_DIR).</summary>
    public TupleDirection? NatDirection { get; internal set; }

    /// <summary>The address that the function translates to: the one announced before translation (CTA_EXPECT_NAT_TUPLE).</summary>
    public string? NatAddress => Nat is { } nat ? nat.Source.ToString(nat.Family) : null;

    /// <summary>The port that the function translates to.</summary>
    public ushort? NatPort => Nat is { HasPorts: true } nat ? nat.SourcePort : null;

    /// <summary>Seconds until it goes (CTA_EXPECT_TIMEOUT).</summary>
    public uint? TimeoutSeconds { get; internal set; }

    /// <summary>The master's zone, 0 for none. The kernel never tells it, but finds an expectation only by it; null on
    /// events and where the master went meanwhile.</summary>
    public ushort? Zone { get; internal set; }

    /// <summary>The kernel's number for it while it lives (CTA_EXPECT_ID).</summary>
    public uint? Id { get; internal set; }

    /// <summary>The network namespace it was read in, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; internal set; }

    /// <summary>What a text said of it that no other property holds, by its words. A bare word, and one in brackets, has the value
    /// "". Null for nothing, and for expectations of the kernel.</summary>
    public IReadOnlyDictionary<string, string>? Extra { get; internal set; }

    /// <summary>True where the mask is known.</summary>
    internal bool HasMask => Mask.Family != IPFamily.Unspecified;

    /// <summary>True where the master's addresses are known.</summary>
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

/// <summary>How an expectation behaves (NF_CT_EXPECT_*, linux/netfilter/nf_conntrack_common.h).</summary>
[Flags]
public enum ExpectationFlags : uint
{
    /// <summary>No bit is set: it goes with the first connection that it meets.</summary>
    None = 0,

    /// <summary>NF_CT_EXPECT_PERMANENT: it stays when a connection meets it, until its time is up.</summary>
    Permanent = 1 << 0,

    /// <summary>NF_CT_EXPECT_INACTIVE: it meets no connection yet.</summary>
    Inactive = 1 << 1,

    /// <summary>NF_CT_EXPECT_USERSPACE: a helper in user space made it; the kernel clears the bit in requests.</summary>
    Userspace = 1 << 2,
}

/// <summary>What names one expectation exactly.</summary>
/// <param name="Tuple">Its tuple, exactly as listed.</param>
/// <param name="Zone">Its master's zone.</param>
/// <param name="Id">The kernel's id: the tuple alone names whichever expectation it meets, perhaps another one.</param>
public readonly record struct ExpectationKey(ConntrackTuple Tuple, ushort Zone, uint Id)
{
    /// <summary>The expected connection on one line, with its zone where that is not 0.</summary>
    public override string ToString() =>
        Zone == 0 ? Tuple.ToString() : string.Create(CultureInfo.InvariantCulture, $"{Tuple} zone {Zone}");
}
