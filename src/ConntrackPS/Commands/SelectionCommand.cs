using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Pipeline;

namespace ConntrackPS.Commands;

/// <summary>The filter parameters, which are the same on every cmdlet that selects entries.</summary>
public abstract partial class SelectionCommand : ConntrackCommand
{
    /// <summary>The parameter set in which entries are selected by filter.</summary>
    protected const string FilterSet = FilterParameters.Set;

    /// <summary>The parameter set in which entries come through the pipeline.</summary>
    protected const string InputSet = "InputObject";

    /// <summary>The source address of the first packet: addresses or prefixes.</summary>
    [Parameter(Position = 0, ParameterSetName = FilterSet)]
    [Alias("Source")]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? SourceAddress { get; set; }

    /// <summary>The destination address of the first packet, before translation: addresses or prefixes.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [Alias("Destination")]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? DestinationAddress { get; set; }

    /// <summary>The source address of replies: addresses or prefixes.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? ReplySourceAddress { get; set; }

    /// <summary>The destination address of replies: addresses or prefixes.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? ReplyDestinationAddress { get; set; }

    /// <summary>Any of the four addresses of an entry: addresses or prefixes.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? Address { get; set; }

    /// <summary>The address that replaces a translated source: addresses or prefixes.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? TranslatedSourceAddress { get; set; }

    /// <summary>The address that replaces a translated destination: addresses or prefixes.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? TranslatedDestinationAddress { get; set; }

    /// <summary>The address that replaces a translated source or destination: addresses or prefixes.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? TranslatedAddress { get; set; }

    /// <summary>The source port of the first packet: ports or ranges such as 1000-2000.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [Alias("SPort")]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? SourcePort { get; set; }

    /// <summary>The destination port of the first packet, before translation: ports or ranges.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [Alias("DPort")]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? DestinationPort { get; set; }

    /// <summary>The source port of replies: ports or ranges.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? ReplySourcePort { get; set; }

    /// <summary>The destination port of replies: ports or ranges.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? ReplyDestinationPort { get; set; }

    /// <summary>The port that replaces the port of a translated source: ports or ranges.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? TranslatedSourcePort { get; set; }

    /// <summary>The port that replaces the port of a translated destination: ports or ranges.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? TranslatedDestinationPort { get; set; }

    /// <summary>The port that replaces the port of a translated source or destination: ports or ranges.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? TranslatedPort { get; set; }

    /// <summary>Any of the four ports of an entry: ports or ranges.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? Port { get; set; }

    /// <summary>Layer 4 protocols, by name or number.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [ProtocolArgument]
    public IPProtocol[]? Protocol { get; set; }

    /// <summary>States of TCP, SCTP and DCCP connections; the kernel's spelling (SYN_SENT) is accepted too.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [StateArgument]
    [ArgumentCompleter(typeof(StateCompleter))]
    public string[]? State { get; set; }

    /// <summary>Connection marks, whole (7, 0x100) or under a mask (0x100/0xff00).</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [MarkArgument]
    public MaskedMark[]? Mark { get; set; }

    /// <summary>Names of helpers, such as ftp.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [TextArgument]
    [ArgumentCompleter(typeof(HelperCompleter))]
    public string[]? Helper { get; set; }

    /// <summary>Status bits that must all be set.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [StatusArgument]
    [ArgumentCompleter(typeof(StatusCompleter))]
    public string[]? Status { get; set; }

    /// <summary>Status bits that must not be set.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [StatusArgument]
    [ArgumentCompleter(typeof(StatusCompleter))]
    public string[]? ExcludeStatus { get; set; }

    /// <summary>Only entries without a reply.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public SwitchParameter Unreplied { get; set; }

    /// <summary>Only entries whose source is translated.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public SwitchParameter SourceNat { get; set; }

    /// <summary>Only entries whose destination is translated.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public SwitchParameter DestinationNat { get; set; }

    /// <summary>Only entries whose source or destination is translated.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public SwitchParameter AnyNat { get; set; }

    /// <summary>Labels, by name or bit (0 to 127). An entry needs one of them.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [LabelArgument]
    [ArgumentCompleter(typeof(LabelCompleter))]
    public int[]? Label { get; set; }

    /// <summary>Security contexts.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [TextArgument]
    public string[]? SecurityContext { get; set; }

    /// <summary>ICMP or ICMPv6 types, 0 to 255.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(byte.MaxValue)]
    public long[]? IcmpType { get; set; }

    /// <summary>ICMP or ICMPv6 codes, 0 to 255.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(byte.MaxValue)]
    public long[]? IcmpCode { get; set; }

    /// <summary>ICMP or ICMPv6 identifiers, 0 to 65535.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(ushort.MaxValue)]
    public long[]? IcmpId { get; set; }

    /// <summary>GRE keys of the source, 0 to 65535.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(ushort.MaxValue)]
    public long[]? GreSourceKey { get; set; }

    /// <summary>GRE keys of the destination, 0 to 65535.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(ushort.MaxValue)]
    public long[]? GreDestinationKey { get; set; }

    /// <summary>The minimum number of bytes in both directions together. It needs accounting (nf_conntrack_acct).</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(long.MaxValue, TakesOne = true)]
    public long? MinimumBytes { get; set; }

    /// <summary>The minimum number of packets in both directions together. It needs accounting (nf_conntrack_acct).</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(long.MaxValue, TakesOne = true)]
    public long? MinimumPackets { get; set; }

    /// <summary>Only entries with less than this time left: seconds, or a span such as 5m.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [DurationArgument(TakesOne = true)]
    public TimeSpan? TimeoutBelow { get; set; }

    /// <summary>Only entries with more than this time left: seconds, or a span such as 2h4m.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [DurationArgument(TakesOne = true)]
    public TimeSpan? TimeoutAbove { get; set; }

    /// <summary>Only entries that are older than this: seconds, or a span such as 1d. It needs timestamps
    /// (nf_conntrack_timestamp).</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [DurationArgument(TakesOne = true)]
    public TimeSpan? OlderThan { get; set; }

    /// <summary>Zones, 0 to 65535, of both directions or of one.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(ushort.MaxValue)]
    [ArgumentCompleter(typeof(ZoneCompleter))]
    public long[]? Zone { get; set; }

    /// <summary>Zones of the original direction only, 1 to 65535.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(ushort.MaxValue, Minimum = 1)]
    [ArgumentCompleter(typeof(ZoneCompleter))]
    public long[]? OriginalZone { get; set; }

    /// <summary>Zones of the reply direction only, 1 to 65535.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(ushort.MaxValue, Minimum = 1)]
    [ArgumentCompleter(typeof(ZoneCompleter))]
    public long[]? ReplyZone { get; set; }

    /// <summary>IPv4 or IPv6.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [FamilyArgument]
    [ValidateSet(nameof(IPFamily.IPv4), nameof(IPFamily.IPv6))]
    public IPFamily AddressFamily { get; set; }

    /// <summary>The kernel's ids of entries, as Get-ConntrackEntry shows them.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(uint.MaxValue)]
    public long[]? Id { get; set; }

    /// <summary>The filter of the parameters. A filter that nothing can match ends the cmdlet with an error.</summary>
    private protected ConntrackFilter BuildFilter()
    {
        ConntrackFilter filter = ReadParameters();
        if (filter.Contradiction is { } contradiction)
            ThrowTerminatingError(ErrorFactory.Contradiction(contradiction));
        return filter;
    }

    /// <summary>The filter of the parameters, even if nothing can match it.</summary>
    private protected ConntrackFilter ReadParameters() => FilterParameters.Read(this);

    /// <summary>The filter of the parameters. A filter that matches every entry ends the cmdlet with an error, because a cmdlet that
    /// changes something never treats a missing filter as "everything".</summary>
    private protected ConntrackFilter RefuseEmptyFilter()
    {
        ConntrackFilter filter = BuildFilter();
        if (ParameterSetName == FilterSet && !filter.NamesEntries)
            ThrowTerminatingError(ErrorFactory.NoFilter(MyInvocation.MyCommand.Name, NamespaceName, filter.Exclude.Count > 0));
        return filter;
    }

    /// <summary>The key of an entry of the pipeline; null, after an error was written, if the object does not name an entry.</summary>
    private protected EntryKey? ReadKey(PSObject input)
    {
        try
        {
            return InputEntry.KeyOf(input);
        }
        catch (FormatException exception)
        {
            Refuse(input, exception);
            return null;
        }
    }

    /// <summary>Writes an error for an object that does not name an entry, unless the object can be used as a filter.</summary>
    private protected void Refuse(PSObject input, FormatException problem)
    {
        string reason = ErrorFactory.Describe(problem);
        if (problem is not IncompleteTupleException && InputFilter.TryRead(input) is { } filter)
        {
            if (TakesFilter(filter, input))
                return;
            problem = new FormatException($"{reason} To select entries by a part of the tuple: Get-ConntrackEntry {filter.Parameters} | {MyInvocation.MyCommand.Name}", problem);
        }

        // The error can end the pipeline. Objects before it must be processed first.
        Flush();
        WriteInputError(ErrorFactory.NotAnEntry(input, problem), reason);
    }

    /// <summary>Uses an object with a part of a tuple as a filter; false if this cmdlet must not do that.</summary>
    private protected virtual bool TakesFilter(InputFilter filter, PSObject input) => false;

    /// <summary>The filter that an object of the pipeline stands for: a part of a tuple, an entry, or a group of Measure-ConntrackEntry.
    /// What it is goes to <see cref="TakesFilter"/>; an object that is none of these is reported.</summary>
    private protected void TakeAsFilter(PSObject input)
    {
        if (InputGroup.TryRead(input) is { } group)
        {
            if (ReadFilter(group) is { } filter)
                TakesFilter(InputFilter.Of(group, filter), input);
        }
        else if (ReadKey(input) is { } key)
        {
            TakesFilter(InputFilter.Of(key), input);
        }
    }

    /// <summary>Opens the table of a namespace for a filter, and warns if the kernel does not record the values that it needs.</summary>
    private protected ConntrackTable OpenTable(NetworkNamespace? networkNamespace, ConntrackFilter filter)
    {
        ConntrackTable table = new(networkNamespace) { Engine = AskedEngine };
        WarnAboutMissingData(networkNamespace);
        WriteDebug(table.Explain(filter));
        return table;
    }

    /// <summary>The way to read the table, for the cmdlets that have -Engine.</summary>
    private protected virtual TableEngine AskedEngine => ConntrackTable.DefaultEngine;

    /// <summary>Warns if a filter can match nothing because the kernel does not record the value.</summary>
    private protected void WarnAboutMissingData(NetworkNamespace? networkNamespace)
    {
        if (MinimumBytes is not null || MinimumPackets is not null)
            WarnAboutMissingCounters(networkNamespace);
        if (OlderThan is not null)
            WarnIfOff("nf_conntrack_timestamp", "Timestamp", "Timestamps are off (nf_conntrack_timestamp=0), and entries have no start time", networkNamespace);
    }

    /// <summary>Warns if the kernel does not count packets and bytes.</summary>
    private protected void WarnAboutMissingCounters(NetworkNamespace? networkNamespace) =>
        WarnIfOff("nf_conntrack_acct", "Accounting", "Accounting is off (nf_conntrack_acct=0), and entries have no counters", networkNamespace);

    /// <summary>Reports with -Verbose how often the table was listed again.</summary>
    private protected void ReportRepeats(int repeats)
    {
        if (repeats > 0)
            WriteVerbose($"The hash table was resized during the listing. It was listed again {Counted.Of(repeats, "time", "times")}.");
    }

    /// <summary>The filter of a group of the pipeline; null, after an error was written, if it has none.</summary>
    private protected ConntrackFilter? ReadFilter(InputGroup group)
    {
        try
        {
            return group.ToFilter();
        }
        catch (FormatException exception)
        {
            WriteInputError(ErrorFactory.UnusableGroup(group.Name, group.Source, exception.Message), exception.Message);
            return null;
        }
    }

    private void WarnIfOff(string file, string setting, string problem, NetworkNamespace? networkNamespace)
    {
        if (Sysctl.ReadNumber(Sysctl.Netfilter + file, networkNamespace) == 0)
            WriteWarning($"{problem}. To turn it on for new connections: {CommandLine.TurnOn(setting, true, networkNamespace)}");
    }
}
