using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Errors;
using ConntrackPS.Helpers;
using ConntrackPS.Linux;
using ConntrackPS.Rules;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Commands;

/// <summary>Shows the kernel's helpers: their modules and ports, the rules that attach them, and the connections that use them.</summary>
[Cmdlet(VerbsCommon.Get, "ConntrackHelper")]
[OutputType(typeof(ConntrackHelper))]
public sealed class GetConntrackHelperCommand : TuningCommand
{
    /// <summary>The names of helpers, with wildcards. The default is all.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(HelperNameCompleter))]
    public string[]? Name { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => RunInEach(named =>
    {
        IReadOnlyList<ConntrackHelper> helpers = ReadIn(named ?? Target());
        foreach (string name in Name ?? ["*"])
        {
            RunOne(
                () =>
                {
                    ConntrackHelper[] found = NamePattern.Find(helpers, helper => helper.Name, name, out bool isPattern);
                    if (found.Length == 0 && !isPattern)
                        throw new UnknownHelperException(name, [.. helpers.Select(helper => helper.Name)]);
                    foreach (ConntrackHelper helper in found)
                        WriteObject(helper);
                },
                name);
        }
    });

    private IReadOnlyList<ConntrackHelper> ReadIn(NetworkNamespace? networkNamespace)
    {
        HelperReader reader = new(networkNamespace);
        IReadOnlyList<ConntrackHelper> helpers = reader.Read(Stop);
        WarnOnce(reader.Problems);
        return helpers;
    }
}

/// <summary>Attaches a helper to new connections, by rules in an nf_tables table of its own, and loads the modules that the helper
/// needs.</summary>
[Cmdlet(VerbsLifecycle.Enable, "ConntrackHelper", SupportsShouldProcess = true)]
[OutputType(typeof(ConntrackRule), typeof(string))]
public sealed class EnableConntrackHelperCommand : RuleCommand
{
    /// <summary>The names of helpers, or objects of Get-ConntrackHelper.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(HelperNameCompleter))]
    public string[] Name { get; set; } = [];

    /// <summary>The destination ports of the first packet, as it arrives, before translation: ports or ranges. The default is the usual
    /// port of the helper.</summary>
    [Parameter]
    [Alias("DPort")]
    [PortArgument]
    [ArgumentCompleter(typeof(PortCompleter))]
    public PortRange[]? Port { get; set; }

    /// <summary>The source addresses of the first packet: addresses or prefixes, such as the network of the clients.</summary>
    [Parameter]
    [Alias("Source")]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? SourceAddress { get; set; }

    /// <summary>The destination addresses of the first packet, as it arrives, before translation: the addresses of the servers, or
    /// prefixes.</summary>
    [Parameter]
    [Alias("Destination")]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? DestinationAddress { get; set; }

    /// <summary>Layer 4 protocols, by name or number. The default is all that the helper reads.</summary>
    [Parameter]
    [ProtocolArgument]
    public IPProtocol[]? Protocol { get; set; }

    /// <summary>The network namespace to work in: a name of <c>ip netns</c>, a path, or the id of a process in it.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public new string? NetworkNamespace
    {
        get => OneNamespaceName;
        set => OneNamespaceName = value;
    }

    /// <summary>The network namespace of a helper in the pipeline; -NetworkNamespace overrides it. Typed by a user, it is short for
    /// -NetworkNamespace.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, DontShow = true)]
    [AllowNull]
    [AllowEmptyString]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public string? Namespace { get; set; }

    private protected override void Begin()
    {
        // The properties of objects are bound later, so this value was typed.
        if (NetworkNamespace is null && Namespace is { Length: > 0 } typed)
            NetworkNamespace = typed;
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        string? typed = NetworkNamespace;
        NetworkNamespace ??= Namespace is { Length: > 0 } origin ? origin : null;
        try
        {
            foreach (string name in Name)
                RunOne(() => Attach(name), name);
        }
        finally
        {
            NetworkNamespace = typed;
        }
    }

    private void Attach(string given)
    {
        ConntrackFilter traffic = FilterParameters.ReadTuple(this, new ConntrackFilter { Protocol = Protocol ?? [] });
        HelperRequest request = HelperRequest.Of(given, traffic, Force);
        if (AsNft)
        {
            AddRule(request.Traffic, request.Action, "");
            return;
        }

        SystemRoot running = new();
        HelperModules modules = HelperModules.Of(running, request.Helper);
        NetworkNamespace? target = OneNamespace();
        if (Persist && !Root.HoldsFor(target))
            ThrowTerminatingError(ErrorFactory.NotPersistable(target));
        string name = request.Helper.Name;
        string change = modules.ToLoad.Count == 0 ? $"Attach the helper {name}" : $"Load {string.Join(" and ", modules.ToLoad)}, and attach the helper {name}";
        RulePersister.FurtherFiles? bootFiles = Persist ? HelperPersistence.With(new RuleBook(target, Root), Root, target, request.Helper.Name) : null;
        if (AddRule(request.Traffic, request.Action, change, () => modules.Load(running), bootFiles) is null)
            return;
        WarnOnce(modules.Warnings);
        WarnAboutOthers(request, target);
    }

    /// <summary>Connections that do not get the helper, or get it in spite of the rule.</summary>
    private void WarnAboutOthers(HelperRequest request, NetworkNamespace? target)
    {
        if (HelperBootFiles.IsAssignedByKernel(target) == true)
        {
            WarnOnce([$"The kernel gives the helper {request.Helper.Name} to every connection to its usual port, and not only to this traffic (nf_conntrack_helper is 1). "
                + "To let rules alone decide: Set-ConntrackSetting Helper 0 -Persist. That takes away the helpers that no rule attaches."]);
        }

        int count = 0;
        WarnIfIncomplete(() =>
        {
            using EntryStream stream = new ConntrackTable(target).Open(request.Traffic);
            using CancellationTokenRegistration registration = Stop.Register(stream.Cancel);
            foreach (IReadOnlyList<ConntrackEntry> batch in stream.Batches())
                count += batch.Count(entry => entry.Helper is null && entry.MasterSourceAddress is null);
        });
        if (count > 0)
        {
            WriteWarning($"{Counted.Of(count, "connection of this traffic is", "connections of this traffic are")} in the table already, and {(count == 1 ? "does" : "do")} not get the helper. "
                + "Remove-ConntrackEntry removes them, so that they start again.");
        }
    }
}

/// <summary>Removes the rules of Enable-ConntrackHelper for helpers: those of this PowerShell process, and persisted ones with their
/// files.</summary>
[Cmdlet(VerbsLifecycle.Disable, "ConntrackHelper", SupportsShouldProcess = true)]
[OutputType(typeof(ConntrackRule))]
public sealed class DisableConntrackHelperCommand : RuleRemovalCommand
{
    /// <summary>The names of helpers, with wildcards; or objects of Get-ConntrackHelper.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(HelperNameCompleter))]
    public string[] Name { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord() => RunInEach(named =>
    {
        NetworkNamespace? target = named ?? Target();
        RuleBook book = new(target, Root);
        foreach (string name in Name)
            RunOne(() => Detach(name, book, target), name);
    });

    private void Detach(string name, RuleBook book, NetworkNamespace? target)
    {
        string[] known = [.. HelperReader.Known.Select(helper => helper.Name)];
        string[] helpers = NamePattern.Find(known, helper => helper, name, out bool isPattern);
        if (helpers.Length == 0 && !isPattern)
            throw new UnknownHelperException(name, known);
        HelperReader reader = new(target);
        ILookup<string, HelperUse> uses = reader.ReadUses().ToLookup(pair => pair.Helper, pair => pair.Use);
        WarnOnce(reader.Problems);
        IReadOnlyList<ConntrackRule> all = book.Read();
        foreach (string helper in helpers)
            RunOne(() => DetachOne(helper, uses[helper], book, all, target, isPattern), helper);
        WarnOnce(book.Problems);
    }

    private void DetachOne(string helper, IEnumerable<HelperUse> uses, RuleBook book, IReadOnlyList<ConntrackRule> all, NetworkNamespace? target, bool isPattern)
    {
        HashSet<string> tables = [.. uses.Where(use => use.Family == "inet").Select(use => use.Table)];
        ConntrackRule[] attaching = [.. all.Where(rule => rule.Action is HelperAction action ? action.Helper == helper : rule.Kind == RuleKind.Helper && tables.Contains(rule.Name))];
        ConntrackRule[] ours = [.. attaching.Where(IsRemovable)];
        if (ours.Length == 0)
        {
            // A pattern names the helpers that rules of ours attach.
            if (isPattern)
                return;
            WriteError(ErrorFactory.HelperNotEnabled(helper));
        }

        int removed = ours.Count(rule => Remove(book, rule, target));
        HashSet<string> names = [.. all.Select(rule => rule.Name)];
        string[] others =
        [
            .. attaching.Except(ours).Select(rule => FormattableString.Invariant($"{rule.Name} of process {rule.ProcessId}")),
            .. uses.Where(use => !names.Contains(use.Table) && (use.Chain is not null || use.Number is not null)).Select(use => use.ToString()),
        ];
        if (others.Length > 0)
            WriteWarning($"The helper {helper} is still attached by rules that this command does not remove: {string.Join("; ", others)}.");
        if (removed > 0 && HelperBootFiles.IsAssignedByKernel(target) == true)
            WriteWarning($"The kernel still gives the helper {helper} to every connection to its usual port (nf_conntrack_helper is 1).");
    }
}

/// <summary>The files of boot that a persisted rule for a helper needs beside its own.</summary>
internal static class HelperPersistence
{
    private const string How = "Enable-ConntrackHelper -Persist";

    /// <summary>The changes if a rule for a helper is added.</summary>
    public static RulePersister.FurtherFiles With(RuleBook book, SystemRoot root, NetworkNamespace? target, string helper) =>
        HelperBootFiles.For(root, How, [.. book.Read().Select(HelperOf).OfType<string>(), helper], HelperBootFiles.IsAssignedByKernel(target));

    /// <summary>The changes if a rule is removed. Null if it needs none, or if other rules can't be read, whose helpers are unknown.</summary>
    public static RulePersister.FurtherFiles? Without(RuleBook book, SystemRoot root, NetworkNamespace? target, ConntrackRule rule)
    {
        if (rule is not { Kind: RuleKind.Helper, File: not null })
            return null;
        ConntrackRule[] others = [.. book.Read().Where(other => other is { Kind: RuleKind.Helper, File: not null } && other.Name != rule.Name)];
        return others.Any(other => other.Action is null)
            ? null
            : HelperBootFiles.For(root, How, [.. others.Select(HelperOf).OfType<string>()], HelperBootFiles.IsAssignedByKernel(target));
    }

    private static string? HelperOf(ConntrackRule rule) => rule is { File: not null, Action: HelperAction action } ? action.Helper : null;
}
