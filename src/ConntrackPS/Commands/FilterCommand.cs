using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Commands;

/// <summary>The filter parameters, the same on every cmdlet that selects entries.</summary>
public abstract class FilterCommand : ConntrackCommand
{
    /// <summary>The parameter set in which entries are selected by filter.</summary>
    protected const string FilterSet = "Filter";

    /// <summary>Addresses or prefixes the first packet came from.</summary>
    [Parameter(Position = 0, ParameterSetName = FilterSet)]
    [AddressArgument]
    public AddressPrefix[]? SourceAddress { get; set; }

    /// <summary>Addresses or prefixes the first packet was sent to, before translation.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    public AddressPrefix[]? DestinationAddress { get; set; }

    /// <summary>Addresses or prefixes replies come from.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    public AddressPrefix[]? ReplySourceAddress { get; set; }

    /// <summary>Addresses or prefixes replies go to.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    public AddressPrefix[]? ReplyDestinationAddress { get; set; }

    /// <summary>Addresses or prefixes that any of the four addresses may have.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    public AddressPrefix[]? Address { get; set; }

    /// <summary>Source ports of the first packet, or ranges such as 1000-2000.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [PortArgument]
    public PortRange[]? SourcePort { get; set; }

    /// <summary>Destination ports of the first packet before translation, or ranges.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [PortArgument]
    public PortRange[]? DestinationPort { get; set; }

    /// <summary>Ports or ranges that any of the four ports may have.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [PortArgument]
    public PortRange[]? Port { get; set; }

    /// <summary>Layer 4 protocols, by name or number.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [ProtocolArgument]
    public IPProtocol[]? Protocol { get; set; }

    /// <summary>States of TCP, SCTP and DCCP connections; the kernel's spelling (SYN_SENT) is accepted too.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [StateArgument]
    public ConntrackState[]? State { get; set; }

    /// <summary>Status bits that must all be set.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [StatusArgument]
    public ConntrackStatus[]? Status { get; set; }

    /// <summary>Status bits of which none may be set.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [StatusArgument]
    public ConntrackStatus[]? ExcludeStatus { get; set; }

    /// <summary>Only entries that have seen no reply.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public SwitchParameter Unreplied { get; set; }

    /// <summary>Only entries whose source is translated.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public SwitchParameter SourceNat { get; set; }

    /// <summary>Only entries whose destination is translated.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public SwitchParameter DestinationNat { get; set; }

    /// <summary>Connection marks, whole (7, 0x100) or under a mask (0x100/0xff00).</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [MarkArgument]
    public MaskedMark[]? Mark { get; set; }

    /// <summary>Zones, 0 to 65535, of both directions or of either.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(ushort.MaxValue)]
    public long[]? Zone { get; set; }

    /// <summary>IPv4 or IPv6.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [ValidateSet(nameof(IPFamily.IPv4), nameof(IPFamily.IPv6))]
    public IPFamily AddressFamily { get; set; }

    /// <summary>The kernel's numbers of entries, as Get-ConntrackEntry shows them.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(uint.MaxValue)]
    public long[]? Id { get; set; }

    /// <summary>The filter that the parameters make.</summary>
    private protected ConntrackFilter BuildFilter() => new()
    {
        SourceAddress = SourceAddress ?? [],
        DestinationAddress = DestinationAddress ?? [],
        ReplySourceAddress = ReplySourceAddress ?? [],
        ReplyDestinationAddress = ReplyDestinationAddress ?? [],
        Address = Address ?? [],
        SourcePort = SourcePort ?? [],
        DestinationPort = DestinationPort ?? [],
        Port = Port ?? [],
        Protocol = Protocol ?? [],
        State = State ?? [],
        Status = Combine(Status),
        ExcludeStatus = Combine(ExcludeStatus),
        Unreplied = Unreplied,
        SourceNat = SourceNat,
        DestinationNat = DestinationNat,
        Mark = Mark ?? [],
        Zone = [.. (Zone ?? []).Select(zone => (ushort)zone)],
        AddressFamily = AddressFamily,
        Id = [.. (Id ?? []).Select(id => (uint)id)],
    };

    private static ConntrackStatus? Combine(ConntrackStatus[]? bits) =>
        bits?.Aggregate(ConntrackStatus.None, (all, bit) => all | bit);
}
