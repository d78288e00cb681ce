using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Rules;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Commands;

/// <summary>The base class of cmdlets that add rules for traffic, in nf_tables tables of their own.</summary>
public abstract class RuleCommand : ConntrackCommand
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

    /// <summary>Keeps the rule after this PowerShell process ends, and writes it to a file that the nftables service loads at every
    /// boot.</summary>
    [Parameter]
    public SwitchParameter Persist { get; set; }

    /// <summary>The root folder of the system whose files are written, such as a mounted image. The default is the
    /// running system.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string PersistRoot { get; set; } = "/";

    /// <summary>Only emits the rules in the language of nft, for a ruleset of your own. Nothing is changed.</summary>
    [Parameter]
    public SwitchParameter AsNft { get; set; }

    /// <summary>Also adds a rule that the cmdlet would refuse as unsafe.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    private protected override bool NeedsKernel => !AsNft;

    private protected override bool ShowsNamespace => RuleSession.Namespaces().Count > 1;

    private protected SystemRoot Root => new(GetUnresolvedProviderPathFromPSPath(PersistRoot));

    /// <summary>Adds a rule, and emits it; with -AsNft emits only its text.</summary>
    /// <param name="filter">The traffic.</param>
    /// <param name="action">The effect on the traffic.</param>
    /// <param name="change">Describes the change, for -WhatIf and -Confirm.</param>
    /// <param name="prepare">Runs after confirmation and before the rule is added. Null for nothing.</param>
    /// <param name="addFurther">Adds changes of further files, with -Persist.</param>
    /// <returns>The rule. Null if none was added.</returns>
    private protected ConntrackRule? AddRule(
        ConntrackFilter filter, RuleAction action, string change, Action? prepare = null, RulePersister.FurtherFiles? addFurther = null)
    {
        PacketSelector.Of(filter);
        if (AsNft)
        {
            foreach (string line in RuleFile.Table(new RuleName(action.Kind, null, 1).ToString(), filter, action))
                WriteObject(line);
            return null;
        }

        NetworkNamespace? target = OneNamespace();
        if (Persist && !Root.HoldsFor(target))
            ThrowTerminatingError(ErrorFactory.NotPersistable(target));
        if (!ShouldProcess($"{filter}{Within(target)}", Persist ? $"{change} now and after each boot" : $"{change} until Remove-ConntrackRule or the end of this PowerShell process"))
            return null;
        prepare?.Invoke();
        RuleBook book = new(target, Root, "Remove-ConntrackRule");
        ConntrackRule rule;
        if (Persist)
        {
            (rule, IReadOnlyList<string> files) = book.Persist(filter, action, addFurther);
            WriteVerbose(files.Count == 0 ? $"{rule.File} needs no change." : $"Persisted in {string.Join(", ", files)}.");
        }
        else
        {
            rule = book.Add(filter, action);
        }

        WarnOnce(book.Problems);
        WriteObject(rule);
        return rule;
    }
}

/// <summary>The base class of rule cmdlets that select traffic by what its packets have.</summary>
public abstract class PacketRuleCommand : RuleCommand
{
    /// <summary>The source address of the first packet: addresses or prefixes.</summary>
    [Parameter(Position = 0, ParameterSetName = FilterParameters.Set)]
    [Alias("Source")]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? SourceAddress { get; set; }

    /// <summary>The destination address of the first packet, as it arrives, before translation: addresses or prefixes.</summary>
    [Parameter(ParameterSetName = FilterParameters.Set)]
    [Alias("Destination")]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? DestinationAddress { get; set; }

    /// <summary>Either address of the packet: addresses or prefixes.</summary>
    [Parameter(ParameterSetName = FilterParameters.Set)]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? Address { get; set; }

    /// <summary>The source port of the first packet: ports or ranges such as 1000-2000.</summary>
    [Parameter(ParameterSetName = FilterParameters.Set)]
    [Alias("SPort")]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? SourcePort { get; set; }

    /// <summary>The destination port of the first packet, as it arrives, before translation: ports or ranges.</summary>
    [Parameter(ParameterSetName = FilterParameters.Set)]
    [Alias("DPort")]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? DestinationPort { get; set; }

    /// <summary>Either port of the packet: ports or ranges.</summary>
    [Parameter(ParameterSetName = FilterParameters.Set)]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? Port { get; set; }

    /// <summary>Layer 4 protocols, by name or number.</summary>
    [Parameter(ParameterSetName = FilterParameters.Set)]
    [ProtocolArgument]
    public IPProtocol[]? Protocol { get; set; }

    /// <summary>IPv4 or IPv6.</summary>
    [Parameter(ParameterSetName = FilterParameters.Set)]
    [FamilyArgument]
    [ValidateSet(nameof(IPFamily.IPv4), nameof(IPFamily.IPv6))]
    public IPFamily AddressFamily { get; set; }

    /// <summary>The filter of the parameters. A filter that nothing can match ends the cmdlet with an error.</summary>
    private protected ConntrackFilter BuildFilter()
    {
        ConntrackFilter filter = FilterParameters.Read(this);
        if (filter.Contradiction is { } contradiction)
            ThrowTerminatingError(ErrorFactory.Contradiction(contradiction));
        return filter;
    }

    /// <summary>The filter of the parameters. A filter that matches all traffic ends the cmdlet with an error.</summary>
    private protected ConntrackFilter RefuseEmptyFilter()
    {
        ConntrackFilter filter = BuildFilter();
        if (!filter.NamesEntries)
            ThrowTerminatingError(ErrorFactory.NoTraffic(MyInvocation.MyCommand.Name));
        return filter;
    }
}

/// <summary>Lists the rules that Enable-ConntrackHelper, Disable-ConntrackTracking and Limit-ConntrackSource added, with the packets and
/// bytes that each matched: those of this PowerShell process, persisted ones, and those of other processes.</summary>
[Cmdlet(VerbsCommon.Get, "ConntrackRule")]
[OutputType(typeof(ConntrackRule))]
public sealed class GetConntrackRuleCommand : TuningCommand
{
    /// <summary>The names of rules, with wildcards. The default is all.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(RuleNameCompleter))]
    public string[]? Name { get; set; }

    /// <summary>Only rules of these kinds.</summary>
    [Parameter]
    public RuleKind[]? Kind { get; set; }

    /// <summary>The root folder of the system whose files are read, such as a mounted image. The default is the running system.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string PersistRoot { get; set; } = "/";

    /// <summary>Also counts the connections of each source of a limit in the table now, as the property Sources.</summary>
    [Parameter]
    public SwitchParameter IncludeSource { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => RunInEach(named =>
    {
        NetworkNamespace? target = named ?? Target();
        RuleBook book = new(target, new SystemRoot(GetUnresolvedProviderPathFromPSPath(PersistRoot)));
        ConntrackRule[] rules = [.. book.Read().Where(rule => Kind?.Contains(rule.Kind) != false)];
        WarnOnce(book.Problems);
        foreach (string name in Name ?? ["*"])
        {
            RunOne(
                () =>
                {
                    ConntrackRule[] found = NamePattern.Find(rules, rule => rule.Name, name, out bool isPattern);
                    if (found.Length == 0 && !isPattern)
                        WriteError(ErrorFactory.NoSuchRule(name));
                    foreach (ConntrackRule rule in found)
                        Write(rule, target);
                },
                name);
        }
    });

    private void Write(ConntrackRule rule, NetworkNamespace? target)
    {
        if (rule.Problem is { } problem)
            WriteWarning($"{rule.Name}: {problem}");
        if (IncludeSource)
            WarnIfIncomplete(() => LimitedSources.Read(rule, new ConntrackTable(target), Stop), () => $"{rule.Name}: some connections may be missing.");
        WriteObject(rule);
    }
}

/// <summary>The base class of cmdlets that remove rules.</summary>
public abstract class RuleRemovalCommand : TuningCommand
{
    /// <summary>The root folder of the system whose files are changed, such as a mounted image. The default is the running
    /// system.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string PersistRoot { get; set; } = "/";

    /// <summary>Emits each removed rule, with its final counters.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>The change, for -WhatIf and -Confirm.</summary>
    private protected virtual string Change => "Remove conntrack rule";

    private protected SystemRoot Root => new(GetUnresolvedProviderPathFromPSPath(PersistRoot));

    /// <summary>The error that there is no such rule.</summary>
    private protected virtual ErrorRecord NoSuch(string name) => ErrorFactory.NoSuchRule(name);

    /// <summary>Removes the rules with a name, or those that match a pattern. A pattern names what can be removed here: the rules of other
    /// processes end with these.</summary>
    private protected void RemoveNamed(RuleBook book, IReadOnlyList<ConntrackRule> rules, string name, NetworkNamespace? target)
    {
        ConntrackRule[] found = NamePattern.Find(rules, rule => rule.Name, name, out bool isPattern);
        if (found.Length == 0 && !isPattern)
            WriteError(NoSuch(name));
        ConntrackRule[] foreign = isPattern ? [.. found.Where(rule => !IsRemovable(rule))] : [];
        if (foreign.Length > 0)
            WriteWarning($"{Counted.Of(foreign.Length, "rule", "rules")} of other processes stay, and end with these: {string.Join(", ", foreign.Select(rule => rule.Name))}");
        foreach (ConntrackRule rule in found.Except(foreign))
            RunOne(() => Remove(book, rule, target), rule.Name);
    }

    /// <summary>Removes one rule.</summary>
    /// <returns>False if it was not confirmed, or was gone.</returns>
    private protected bool Remove(RuleBook book, ConntrackRule rule, NetworkNamespace? target)
    {
        if (!ShouldProcess($"{rule}{Within(target)}", Change))
            return false;
        (bool isRemoved, IReadOnlyList<string> files) = book.Remove(rule, HelperPersistence.Without(book, Root, target, rule));
        if (files.Count > 0)
            WriteVerbose($"Changed: {string.Join(", ", files)}.");
        if (!isRemoved)
            WriteError(NoSuch(rule.Name));
        else if (PassThru)
            WriteObject(rule);
        return isRemoved;
    }

    /// <summary>False for a rule that only another process can remove.</summary>
    private protected static bool IsRemovable(ConntrackRule rule) => rule.ProcessId is null || rule.ProcessId == Environment.ProcessId;
}

/// <summary>Removes rules of Get-ConntrackRule: their tables and, if they are persisted, their files.</summary>
[Cmdlet(VerbsCommon.Remove, "ConntrackRule", SupportsShouldProcess = true)]
[OutputType(typeof(ConntrackRule))]
public sealed class RemoveConntrackRuleCommand : RuleRemovalCommand
{
    /// <summary>The names of rules, with wildcards; or objects of Get-ConntrackRule.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(RuleNameCompleter))]
    public string[] Name { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord() => RunInEach(named =>
    {
        NetworkNamespace? target = named ?? Target();
        RuleBook book = new(target, Root);
        IReadOnlyList<ConntrackRule> rules = book.Read();
        WarnOnce(book.Problems);
        foreach (string name in Name)
            RunOne(() => RemoveNamed(book, rules, name, target), name);
    });
}
