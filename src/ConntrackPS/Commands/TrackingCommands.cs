using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Blocking;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Rules;
using ConntrackPS.Rules.Tracking;

namespace ConntrackPS.Commands;

/// <summary>Exempts traffic from connection tracking, in both directions: its packets have no entry and create none (<c>notrack</c>).
/// Traffic that rules or translations need entries for is refused, with the reasons.</summary>
[Cmdlet(VerbsLifecycle.Disable, "ConntrackTracking", SupportsShouldProcess = true, DefaultParameterSetName = FilterParameters.Set)]
[OutputType(typeof(ConntrackRule), typeof(string))]
public sealed class DisableConntrackTrackingCommand : PacketRuleCommand
{
    /// <summary>Removes the entries of this traffic that exist, after the rule is in force. Other entries stay.</summary>
    [Parameter]
    public SwitchParameter RemoveEntry { get; set; }

    private protected override void Begin() => RefuseInput("Disable-ConntrackTracking -Protocol Udp -DestinationPort 53");

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(() =>
    {
        ConntrackFilter filter = RefuseEmptyFilter();
        if (AsNft)
        {
            AddRule(filter, new NoTrackAction(), "");
            return;
        }

        ConntrackTable table = new(OneNamespace());
        Check(filter, table);
        string change = RemoveEntry ? "Exempt traffic from connection tracking, remove its entries, and keep the exemption" : "Exempt traffic from connection tracking";
        if (AddRule(filter, new NoTrackAction(), change) is null)
            return;
        if (RemoveEntry)
            Remove(filter, table);
        else
            WarnAboutEntries(filter, table);
    });

    private void Check(ConntrackFilter filter, ConntrackTable table)
    {
        if (!Force)
            new SshGuard(table, SshConnection.Find(), "end the tracking of").Check(BlockTarget.Of(filter));
        IReadOnlyList<TrackingReason> reasons = TrackingCheck.Find(filter, table.NetworkNamespace, Stop);
        if (reasons.Count > 0 && !Force)
            throw new TrackingNeededException(reasons);
        WarnOnce(reasons.Select(reason => $"Exempted anyway: {reason}."));
    }

    private void Remove(ConntrackFilter filter, ConntrackTable table)
    {
        DeleteSummary sum = table.Delete(filter, result => WriteError(ErrorFactory.From(result.Failure!, result.Entry)), stop: Stop);
        WriteVerbose($"{(sum.IsEstimate ? "about " : "")}{Counted.Entries(sum.Deleted)} removed, {sum.AlreadyGone} already gone, {sum.Failed} failed.");
    }

    private void WarnAboutEntries(ConntrackFilter filter, ConntrackTable table)
    {
        int count = 0;
        WarnIfIncomplete(() => count = table.Read(filter).Count());
        if (count > 0)
            WriteWarning($"{Counted.Entries(count)} of this traffic {(count == 1 ? "stays" : "stay")} in the table until {(count == 1 ? "it expires" : "they expire")}, but packets no longer belong to {(count == 1 ? "it" : "them")}. -RemoveEntry removes {(count == 1 ? "it" : "them")}.");
    }
}

/// <summary>Ends exemptions of Disable-ConntrackTracking, so that the traffic is tracked again: those of this PowerShell process, and
/// persisted ones with their files.</summary>
[Cmdlet(VerbsLifecycle.Enable, "ConntrackTracking", SupportsShouldProcess = true, DefaultParameterSetName = NameSet)]
[OutputType(typeof(ConntrackRule))]
public sealed class EnableConntrackTrackingCommand : RuleRemovalCommand
{
    private const string NameSet = "Name";

    /// <summary>The names of exemptions, with wildcards; or objects of Disable-ConntrackTracking or Get-ConntrackRule.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, ParameterSetName = NameSet)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(RuleNameCompleter))]
    public string[] Name { get; set; } = [];

    // PowerShell finds parameters only in base classes. That of the other cmdlets with these adds rules.

    /// <summary>The source address of the exemption, as given to Disable-ConntrackTracking.</summary>
    [Parameter(ParameterSetName = FilterParameters.Set)]
    [Alias("Source")]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? SourceAddress { get; set; }

    /// <summary>The destination address of the exemption, as given to Disable-ConntrackTracking.</summary>
    [Parameter(ParameterSetName = FilterParameters.Set)]
    [Alias("Destination")]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? DestinationAddress { get; set; }

    /// <summary>Either address of the exemption, as given to Disable-ConntrackTracking.</summary>
    [Parameter(ParameterSetName = FilterParameters.Set)]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? Address { get; set; }

    /// <summary>The source port of the exemption, as given to Disable-ConntrackTracking.</summary>
    [Parameter(ParameterSetName = FilterParameters.Set)]
    [Alias("SPort")]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? SourcePort { get; set; }

    /// <summary>The destination port of the exemption, as given to Disable-ConntrackTracking.</summary>
    [Parameter(ParameterSetName = FilterParameters.Set)]
    [Alias("DPort")]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? DestinationPort { get; set; }

    /// <summary>Either port of the exemption, as given to Disable-ConntrackTracking.</summary>
    [Parameter(ParameterSetName = FilterParameters.Set)]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? Port { get; set; }

    /// <summary>The layer 4 protocols of the exemption, by name or number.</summary>
    [Parameter(ParameterSetName = FilterParameters.Set)]
    [ProtocolArgument]
    public IPProtocol[]? Protocol { get; set; }

    /// <summary>The address family of the exemption: IPv4 or IPv6.</summary>
    [Parameter(ParameterSetName = FilterParameters.Set)]
    [FamilyArgument]
    [ValidateSet(nameof(IPFamily.IPv4), nameof(IPFamily.IPv6))]
    public IPFamily AddressFamily { get; set; }

    private protected override string Change => "Track traffic again";

    private protected override ErrorRecord NoSuch(string name) => ErrorFactory.NoSuchExemption(name);

    /// <inheritdoc/>
    protected override void ProcessRecord() => RunInEach(named =>
    {
        NetworkNamespace? target = named ?? Target();
        RuleBook book = new(target, Root);
        ConntrackRule[] rules = [.. book.Read().Where(rule => rule.Kind == RuleKind.NoTrack)];
        WarnOnce(book.Problems);
        if (ParameterSetName == NameSet)
        {
            foreach (string name in Name)
                RunOne(() => RemoveNamed(book, rules, name, target), name);
            return;
        }

        string traffic = FilterParameters.Read(this).ToString();
        ConntrackRule[] same = [.. rules.Where(rule => rule.Traffic == traffic)];
        if (same.Length == 0)
            WriteError(NoSuch(traffic));
        foreach (ConntrackRule rule in same)
            RunOne(() => Remove(book, rule, target), rule.Name);
    });
}
