using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Commands;

/// <content>What is left out: a parameter for each address and port that can be asked for, and for the other properties that people leave out. It names nothing by itself.</content>
public abstract partial class SelectionCommand
{
    /// <summary>Leaves out entries that -SourceAddress would match: addresses or prefixes the first packet came from.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? ExcludeSourceAddress { get; set; }

    /// <summary>Leaves out entries that -DestinationAddress would match: addresses or prefixes the first packet was sent to, before translation.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? ExcludeDestinationAddress { get; set; }

    /// <summary>Leaves out entries that -ReplySourceAddress would match: addresses or prefixes replies come from.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? ExcludeReplySourceAddress { get; set; }

    /// <summary>Leaves out entries that -ReplyDestinationAddress would match: addresses or prefixes replies go to.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? ExcludeReplyDestinationAddress { get; set; }

    /// <summary>Leaves out entries that -Address would match: addresses or prefixes that any of the four addresses may have.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? ExcludeAddress { get; set; }

    /// <summary>Leaves out entries that -TranslatedSourceAddress would match: addresses or prefixes that replace the source, on entries whose source is translated.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? ExcludeTranslatedSourceAddress { get; set; }

    /// <summary>Leaves out entries that -TranslatedDestinationAddress would match: addresses or prefixes that replace the destination, on entries whose destination is translated.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? ExcludeTranslatedDestinationAddress { get; set; }

    /// <summary>Leaves out entries that -TranslatedAddress would match: addresses or prefixes that replace the source or the destination, on entries where that one is translated.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? ExcludeTranslatedAddress { get; set; }

    /// <summary>Leaves out entries that -SourcePort would match: source ports of the first packet, or ranges such as 1000-2000.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? ExcludeSourcePort { get; set; }

    /// <summary>Leaves out entries that -DestinationPort would match: destination ports of the first packet before translation, or ranges.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? ExcludeDestinationPort { get; set; }

    /// <summary>Leaves out entries that -ReplySourcePort would match: ports or ranges that replies come from.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? ExcludeReplySourcePort { get; set; }

    /// <summary>Leaves out entries that -ReplyDestinationPort would match: ports or ranges that replies go to.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? ExcludeReplyDestinationPort { get; set; }

    /// <summary>Leaves out entries that -TranslatedSourcePort would match: ports or ranges that replace the source port, on entries whose source is translated.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? ExcludeTranslatedSourcePort { get; set; }

    /// <summary>Leaves out entries that -TranslatedDestinationPort would match: ports or ranges that replace the destination port, on entries whose destination is translated.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? ExcludeTranslatedDestinationPort { get; set; }

    /// <summary>Leaves out entries that -TranslatedPort would match: ports or ranges that replace the source or destination port, on entries where that one is translated.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? ExcludeTranslatedPort { get; set; }

    /// <summary>Leaves out entries that -Port would match: ports or ranges that any of the four ports may have.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? ExcludePort { get; set; }

    /// <summary>Leaves out entries of these layer 4 protocols, by name or number.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [ProtocolArgument]
    public IPProtocol[]? ExcludeProtocol { get; set; }

    /// <summary>Leaves out entries in these states of TCP, SCTP and DCCP. Entries without a state remain.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [StateArgument]
    [ArgumentCompleter(typeof(StateCompleter))]
    public string[]? ExcludeState { get; set; }

    /// <summary>Leaves out entries with these connection marks, whole (7, 0x100) or under a mask (0x100/0xff00).</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [MarkArgument]
    public MaskedMark[]? ExcludeMark { get; set; }

    /// <summary>Leaves out entries with these helpers, such as ftp. Entries without a helper remain.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [TextArgument]
    [ArgumentCompleter(typeof(HelperCompleter))]
    public string[]? ExcludeHelper { get; set; }

    /// <summary>Leaves out entries with any of these labels, by name or bit (0 to 127).</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [LabelArgument]
    [ArgumentCompleter(typeof(LabelCompleter))]
    public int[]? ExcludeLabel { get; set; }

    /// <summary>Leaves out entries in these zones, 0 to 65535, of both directions or of one.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(ushort.MaxValue)]
    [ArgumentCompleter(typeof(ZoneCompleter))]
    public long[]? ExcludeZone { get; set; }

    /// <summary>Leaves out entries with these ICMP or ICMPv6 types, 0 to 255.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(byte.MaxValue)]
    public long[]? ExcludeIcmpType { get; set; }

    /// <summary>Leaves out entries with these ICMP or ICMPv6 codes, 0 to 255.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(byte.MaxValue)]
    public long[]? ExcludeIcmpCode { get; set; }

    /// <summary>Leaves out entries with these ICMP or ICMPv6 identifiers, 0 to 65535.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(ushort.MaxValue)]
    public long[]? ExcludeIcmpId { get; set; }

    /// <summary>Leaves out entries with these GRE keys of the source, 0 to 65535.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(ushort.MaxValue)]
    public long[]? ExcludeGreSourceKey { get; set; }

    /// <summary>Leaves out entries with these GRE keys of the destination, 0 to 65535.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(ushort.MaxValue)]
    public long[]? ExcludeGreDestinationKey { get; set; }
}
