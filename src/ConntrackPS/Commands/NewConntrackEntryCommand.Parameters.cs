using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Commands;

/// <content>The parameters, and the entry that they describe.</content>
public sealed partial class NewConntrackEntryCommand
{
    /// <summary>The network namespace to work in: a name of <c>ip netns</c>, a path, or the id of a process in it.</summary>
    [Parameter]
    [Alias("Namespace")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public new string? NetworkNamespace
    {
        get => OneNamespaceName;
        set => OneNamespaceName = value;
    }

    /// <summary>An entry to create again, of Get-ConntrackEntry, Import-Clixml, Import-Csv or similar.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = InputSet)]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>The source address of the first packet. Give both addresses of the first packet, or both addresses of replies.</summary>
    [Parameter(Position = 0, ParameterSetName = TupleSet)]
    [Alias("Source")]
    [HostAddressArgument(TakesOne = true)]
    public HostAddress? SourceAddress { get; set; }

    /// <summary>The destination address of the first packet, before translation.</summary>
    [Parameter(Position = 1, ParameterSetName = TupleSet)]
    [Alias("Destination")]
    [HostAddressArgument(TakesOne = true)]
    public HostAddress? DestinationAddress { get; set; }

    /// <summary>The layer 4 protocol, by name or number.</summary>
    [Parameter(Mandatory = true, ParameterSetName = TupleSet)]
    [ProtocolArgument(TakesOne = true)]
    public IPProtocol Protocol { get; set; }

    /// <summary>The source port of the first packet.</summary>
    [Parameter(ParameterSetName = TupleSet)]
    [Alias("SPort")]
    [OnePortArgument]
    [ArgumentCompleter(typeof(ServiceCompleter))]
    public long? SourcePort { get; set; }

    /// <summary>The destination port of the first packet, before translation.</summary>
    [Parameter(ParameterSetName = TupleSet)]
    [Alias("DPort")]
    [OnePortArgument]
    [ArgumentCompleter(typeof(ServiceCompleter))]
    public long? DestinationPort { get; set; }

    /// <summary>The ICMP or ICMPv6 type of the first packet.</summary>
    [Parameter(ParameterSetName = TupleSet)]
    [NumberArgument(byte.MaxValue, TakesOne = true)]
    public long? IcmpType { get; set; }

    /// <summary>The ICMP or ICMPv6 code of the first packet. The default is 0.</summary>
    [Parameter(ParameterSetName = TupleSet)]
    [NumberArgument(byte.MaxValue, TakesOne = true)]
    public long? IcmpCode { get; set; }

    /// <summary>The ICMP or ICMPv6 identifier.</summary>
    [Parameter(ParameterSetName = TupleSet)]
    [NumberArgument(ushort.MaxValue, TakesOne = true)]
    public long? IcmpId { get; set; }

    /// <summary>The GRE key of the source.</summary>
    [Parameter(ParameterSetName = TupleSet)]
    [NumberArgument(ushort.MaxValue, TakesOne = true)]
    public long? GreSourceKey { get; set; }

    /// <summary>The GRE key of the destination.</summary>
    [Parameter(ParameterSetName = TupleSet)]
    [NumberArgument(ushort.MaxValue, TakesOne = true)]
    public long? GreDestinationKey { get; set; }

    /// <summary>The source address of replies, without a translation by the kernel. The default is the destination.</summary>
    [Parameter(ParameterSetName = TupleSet)]
    [HostAddressArgument(TakesOne = true)]
    public HostAddress? ReplySourceAddress { get; set; }

    /// <summary>The destination address of replies, without a translation by the kernel. The default is the source.</summary>
    [Parameter(ParameterSetName = TupleSet)]
    [HostAddressArgument(TakesOne = true)]
    public HostAddress? ReplyDestinationAddress { get; set; }

    /// <summary>The source port of replies. The default is the destination port.</summary>
    [Parameter(ParameterSetName = TupleSet)]
    [OnePortArgument]
    [ArgumentCompleter(typeof(ServiceCompleter))]
    public long? ReplySourcePort { get; set; }

    /// <summary>The destination port of replies. The default is the source port.</summary>
    [Parameter(ParameterSetName = TupleSet)]
    [OnePortArgument]
    [ArgumentCompleter(typeof(ServiceCompleter))]
    public long? ReplyDestinationPort { get; set; }

    /// <summary>The address to which the kernel translates the source.</summary>
    [Parameter(ParameterSetName = TupleSet)]
    [HostAddressArgument(TakesOne = true)]
    public HostAddress? TranslatedSourceAddress { get; set; }

    /// <summary>The port to which the kernel translates the source port.</summary>
    [Parameter(ParameterSetName = TupleSet)]
    [OnePortArgument]
    [ArgumentCompleter(typeof(ServiceCompleter))]
    public long? TranslatedSourcePort { get; set; }

    /// <summary>The address to which the kernel translates the destination.</summary>
    [Parameter(ParameterSetName = TupleSet)]
    [HostAddressArgument(TakesOne = true)]
    public HostAddress? TranslatedDestinationAddress { get; set; }

    /// <summary>The port to which the kernel translates the destination port.</summary>
    [Parameter(ParameterSetName = TupleSet)]
    [OnePortArgument]
    [ArgumentCompleter(typeof(ServiceCompleter))]
    public long? TranslatedDestinationPort { get; set; }

    /// <summary>The time until the entry expires: seconds, or a span such as 5m. A piped entry keeps its own by default. An entry without
    /// one gets the network namespace's timeout for the protocol and state, as Get-ConntrackTimeout shows it.</summary>
    [Parameter]
    [Alias("TimeoutSeconds")]
    [DurationArgument(TakesOne = true, Minimum = TimeoutRange.Minimum, Maximum = TimeoutRange.Maximum)]
    public TimeSpan? Timeout { get; set; }

    /// <summary>The state of a TCP or SCTP connection.</summary>
    [Parameter]
    [StateArgument(TakesOne = true)]
    [ArgumentCompleter(typeof(StateCompleter))]
    public string? State { get; set; }

    /// <summary>Status bits to set: Assured, SeenReply, FixedTimeout. The kernel sets the others.</summary>
    [Parameter]
    [StatusArgument]
    [ArgumentCompleter(typeof(StatusCompleter))]
    public string[]? Status { get; set; }

    /// <summary>The connection mark: whole (7, 0x100), or only the bits in a mask (0x100/0xff00). A piped entry keeps its
    /// other bits.</summary>
    [Parameter]
    [MarkArgument(TakesOne = true)]
    public MaskedMark? Mark { get; set; }

    /// <summary>The zone, 0 to 65535. A piped entry is created in this zone.</summary>
    [Parameter]
    [NumberArgument(ushort.MaxValue, TakesOne = true)]
    [ArgumentCompleter(typeof(ZoneCompleter))]
    public long? Zone { get; set; }

    /// <summary>The zone of the original direction only, 1 to 65535. A piped entry is created in this zone.</summary>
    [Parameter]
    [NumberArgument(ushort.MaxValue, Minimum = 1, TakesOne = true)]
    [ArgumentCompleter(typeof(ZoneCompleter))]
    public long? OriginalZone { get; set; }

    /// <summary>The zone of the reply direction only, 1 to 65535. A piped entry is created in this zone.</summary>
    [Parameter]
    [NumberArgument(ushort.MaxValue, Minimum = 1, TakesOne = true)]
    [ArgumentCompleter(typeof(ZoneCompleter))]
    public long? ReplyZone { get; set; }

    /// <summary>Labels, by name or bit.</summary>
    [Parameter]
    [LabelArgument]
    [ArgumentCompleter(typeof(LabelCompleter))]
    public int[]? Label { get; set; }

    /// <summary>The helper of the connection, such as ftp.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Helper { get; set; }

    /// <summary>The entry of the master connection. It must exist.</summary>
    [Parameter]
    [ValidateNotNull]
    public PSObject? Master { get; set; }

    /// <summary>Changes an existing entry with the same two tuples instead of reporting an error. It gets the timeout,
    /// state, status, mark and labels.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Emits each entry as the kernel created it.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>The parameters that are needed: which these are depends on the protocol and the direction.</summary>
    private List<string> Needed()
    {
        bool IsGiven(string name) => MyInvocation.BoundParameters.ContainsKey(name);
        bool isByReply = !IsGiven(nameof(SourceAddress)) && !IsGiven(nameof(DestinationAddress))
            && (IsGiven(nameof(ReplySourceAddress)) || IsGiven(nameof(ReplyDestinationAddress)));
        List<string> needed = isByReply ? [nameof(ReplySourceAddress), nameof(ReplyDestinationAddress)] : [nameof(SourceAddress), nameof(DestinationAddress)];
        TupleNumbers numbers = TupleNumbers.Of(Protocol);
        if (numbers != TupleNumbers.Ports)
            needed.AddRange(numbers.Names.Where(name => name != nameof(IcmpCode)));
        else if (new ConntrackTuple { Protocol = Protocol }.MustHavePorts)
            needed.AddRange(isByReply ? [nameof(ReplySourcePort), nameof(ReplyDestinationPort)] : [nameof(SourcePort), nameof(DestinationPort)]);
        if (Protocol is IPProtocol.Tcp or IPProtocol.Sctp)
            needed.Add(nameof(State));
        return needed;
    }

    private EntryTemplate BuildTemplate() => new()
    {
        LeavesTimeoutOpen = true,
        TimeoutSeconds = (uint?)Timeout?.TotalSeconds,
        State = State is null ? null : StateArgumentAttribute.Read(State),
        Status = Status is null ? null : StatusArgumentAttribute.Read(Status),
        Mark = Mark,
        Zone = (ushort?)Zone,
        OriginalZone = (ushort?)OriginalZone,
        ReplyZone = (ushort?)ReplyZone,
        Label = Label,
        Helper = Helper,
        Master = _master?.Original,
    };

    /// <exception cref="FormatException">The parameters are not a tuple, or the kernel would ignore one of them.</exception>
    private EntryTuples BuildTuples()
    {
        ConntrackFilter named = FilterParameters.ReadTuple(this, new ConntrackFilter { Protocol = [Protocol] });
        if (Protocol is IPProtocol.Icmp or IPProtocol.IcmpV6 && !TupleProperties.IcmpCode.IsAsked(named))
            named = TupleProperties.IcmpCode.Set(named, [0]);

        // Parameters that conflict in a filter are no entry either. One exception: if the original tuple is derived from the reply,
        // the reply is the one before translation, as with conntrack.
        bool isByReply = SourceAddress is null && DestinationAddress is null;
        ConntrackFilter untranslated = Without(named, property => property.IsTranslated);
        ConntrackFilter withoutReply = Without(named, property => !property.IsTranslated && (property.Places & TuplePlaces.Reply) != 0);
        if ((isByReply ? untranslated.Contradiction ?? withoutReply.Contradiction : named.Contradiction) is { } contradiction)
            throw new FormatException(contradiction.Describe(property => "-" + property) + ".");

        return new EntryTuples
        {
            Original = ExactTuple.FirstPacket(named),
            ReplySource = ReplySourceAddress,
            ReplyDestination = ReplyDestinationAddress,
            ReplySourcePort = (ushort?)ReplySourcePort,
            ReplyDestinationPort = (ushort?)ReplyDestinationPort,
            TranslatedSource = TranslatedSourceAddress,
            TranslatedSourcePort = (ushort?)TranslatedSourcePort,
            TranslatedDestination = TranslatedDestinationAddress,
            TranslatedDestinationPort = (ushort?)TranslatedDestinationPort,
        };
    }

    private static ConntrackFilter Without(ConntrackFilter filter, Func<TupleProperty, bool> which) =>
        TupleProperties.All.Where(which).Aggregate(filter, (rest, property) => property.Without(rest));
}
