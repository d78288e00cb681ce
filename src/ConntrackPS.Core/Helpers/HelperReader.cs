using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Expectations;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Nftables;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Helpers;

/// <summary>Reads the helpers of the kernel, and their use in a network namespace. Nothing is changed, and no module of a helper is
/// loaded.</summary>
public sealed class HelperReader
{
    private const string Ports = "ports";
    private const string AssignmentFile = Sysctl.Netfilter + "nf_conntrack_helper";

    private readonly NetworkNamespace? _networkNamespace;
    private readonly SystemRoot _root;
    private readonly List<string> _problems = [];

    /// <summary>Refers to a network namespace. Nothing is read yet.</summary>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    public HelperReader(NetworkNamespace? networkNamespace = null)
        : this(networkNamespace, new SystemRoot())
    {
    }

    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <param name="root">The root of the file system with the files about modules.</param>
    internal HelperReader(NetworkNamespace? networkNamespace, SystemRoot root) => (_networkNamespace, _root) = (networkNamespace, root);

    /// <summary>The names of all helpers of Linux.</summary>
    internal static IReadOnlyList<(string Name, string Description)> Known { get; } =
        [.. HelperCatalog.All.Select(definition => (definition.Name, definition.Description))];

    /// <summary>The files and listings that could not be read completely, one sentence each. Filled by <see cref="Read"/>.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>Reads all helpers of Linux, and others that entries, expectations or rules name.</summary>
    /// <param name="stop">Stops the reading.</param>
    /// <exception cref="NetlinkException">The kernel refused the request: EPERM without CAP_NET_ADMIN.</exception>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    /// <exception cref="OperationCanceledException">The reading was stopped.</exception>
    public IReadOnlyList<ConntrackHelper> Read(CancellationToken stop = default)
    {
        _problems.Clear();
        using NetlinkConnection connection = ConntrackTable.Attempt(() => NetlinkConnection.Open(_networkNamespace));
        using KernelModules modules = new(_root);
        HelperRuleset? ruleset = ReadRuleset(connection, modules);
        List<HelperUse>? iptables = ReadIptables();
        HelperUsage usage = new(
            CountEntries(stop),
            CountBy(new ExpectationTable(_networkNamespace).Read().Select(expectation => expectation.Helper)),
            ruleset is null || iptables is null ? null : [.. ruleset.Rules.Select(UseOf), .. iptables],
            ruleset is null ? [] : [.. ruleset.Objects.Select(UseOf)],
            Sysctl.ReadNumber(AssignmentFile, _networkNamespace) is { } assignment ? assignment != 0 : null);
        ConntrackHelper[] found =
        [
            .. HelperCatalog.All.Select(definition => Describe(definition, usage, modules, connection)),
            .. usage.Names.Where(name => HelperCatalog.Find(name) is null).Select(name => DescribeOther(name, usage)),
        ];
        _problems.AddRange(modules.Problems);
        return found;
    }

    /// <summary>Reads the rules that attach helpers, without the entries. Null rules could not be read, and are reported.</summary>
    internal IReadOnlyList<(string Helper, HelperUse Use)> ReadUses()
    {
        _problems.Clear();
        using NetlinkConnection connection = ConntrackTable.Attempt(() => NetlinkConnection.Open(_networkNamespace));
        using KernelModules modules = new(_root);
        HelperUse[] uses = [.. ReadRuleset(connection, modules)?.Rules.Select(UseOf) ?? [], .. ReadIptables() ?? []];
        return [.. uses.Select(use => (HelperCatalog.Find(use.Helper)?.Name ?? use.Helper, use))];
    }

    private ConntrackHelper Describe(HelperDefinition definition, HelperUsage usage, KernelModules modules, NetlinkConnection connection)
    {
        ModuleState? state = modules.StateOf(definition.Module, definition.Option) ?? Ask(definition, modules, connection);
        bool isRunning = state is ModuleState.BuiltIn or ModuleState.Loaded;
        string? next = modules.NextParameter(definition.Module, Ports, state == ModuleState.BuiltIn);
        ConntrackHelper helper = new(definition.Name)
        {
            Description = definition.Description,
            Protocols = definition.Protocols,
            AddressFamilies = definition.Families,
            DefaultPorts = definition.Ports,
            Ports = isRunning ? ParsePorts(modules.Parameter(definition.Module, Ports)) ?? definition.Ports : null,
            NextPorts = definition.Ports.Length == 0 ? null : ParsePorts(next),
            Module = definition.Module,
            State = state,
            BlacklistedBy = modules.WhyBlocked(definition.Module),
            NatModule = definition.NatModule,
            NatState = definition is { NatModule: { } nat, NatOption: { } option } ? modules.StateOf(nat, option) : null,
            EntryCount = usage.EntriesOf(definition.Owns),
            ExpectationCount = usage.ExpectationsOf(definition.Owns),
            RuleCount = usage.RulesOf(definition.Owns)?.Length,
            Rules = usage.RulesOf(definition.Owns),
            Objects = usage.ObjectsOf(definition.Owns),
            AutomaticAssignment = usage.AutomaticAssignment,
            Caution = definition.Caution,
            Namespace = _networkNamespace?.Name,
        };
        return helper.With(HelperEffect.Of(helper, modules));
    }

    /// <summary>A helper in user space (nfnetlink_cthelper), or one that is newer than the table.</summary>
    private ConntrackHelper DescribeOther(string name, HelperUsage usage)
    {
        ConntrackHelper helper = new(name)
        {
            EntryCount = usage.EntriesOf(other => other == name),
            ExpectationCount = usage.ExpectationsOf(other => other == name),
            RuleCount = usage.RulesOf(other => other == name)?.Length,
            Rules = usage.RulesOf(other => other == name),
            Objects = usage.ObjectsOf(other => other == name),
            AutomaticAssignment = usage.AutomaticAssignment,
            Namespace = _networkNamespace?.Name,
        };
        return helper.With("It is not a helper of Linux: probably a program in user space provides it.");
    }

    /// <summary>Asks the kernel, if the files do not decide and the question can't make it load a module.</summary>
    private static ModuleState? Ask(HelperDefinition definition, KernelModules modules, NetlinkConnection connection)
    {
        if (modules.CanLoadOnDemand || definition.Ports.Length == 0)
            return null;
        NetfilterProtocol family = definition.Families[0] == IPFamily.IPv6 ? NetfilterProtocol.Ipv6 : NetfilterProtocol.Ipv4;
        return HelperProbe.HasHelper(connection, family, definition.Name, (byte)definition.Protocols[0]) switch
        {
            true => ModuleState.BuiltIn,
            false => ModuleState.Missing,
            null => null,
        };
    }

    /// <summary>Without a loaded nf_tables there are no rules. To ask for them would load it.</summary>
    private HelperRuleset? ReadRuleset(NetlinkConnection connection, KernelModules modules)
    {
        if (modules.StateOf("nf_tables", "NF_TABLES") is ModuleState.Available or ModuleState.Blacklisted or ModuleState.Missing)
            return HelperRuleset.Empty;
        try
        {
            return HelperRuleset.Read(connection);
        }
        catch (IncompleteListingException exception)
        {
            _problems.Add($"The rules of nf_tables could not be read: {exception.Message}");
            return null;
        }
    }

    private List<HelperUse>? ReadIptables()
    {
        List<HelperUse> found = [];
        foreach (bool isIPv6 in (bool[])[false, true])
        {
            XTable? table = NetworkNamespace.RunIn(_networkNamespace, () => XTable.Read(IptablesRules.Table, isIPv6));
            if (table is null || IptablesRules.Find(table, isIPv6) is not { } rules)
            {
                _problems.Add($"The rules of {(isIPv6 ? "ip6tables" : "iptables")} in the table {IptablesRules.Table} can't be read: that needs root.");
                return null;
            }

            found.AddRange(rules.Select(rule => new HelperUse(isIPv6 ? "ip6" : "ip", IptablesRules.Table, rule.Chain, null, rule.Number, null, rule.Helper)));
        }

        return found;
    }

    private Dictionary<string, int>? CountEntries(CancellationToken stop)
    {
        using EntryStream stream = new ConntrackTable(_networkNamespace).Open();
        using CancellationTokenRegistration registration = stop.Register(stream.Cancel);
        Dictionary<string, int> counts = [];
        try
        {
            foreach (IReadOnlyList<ConntrackEntry> batch in stream.Batches())
            {
                foreach (ConntrackEntry entry in batch)
                {
                    if (entry.Helper is { } helper)
                        counts[helper] = counts.GetValueOrDefault(helper) + 1;
                }
            }
        }
        catch (IncompleteListingException exception)
        {
            _problems.Add($"The entries could not be counted: {exception.Message}");
            return null;
        }

        return counts;
    }

    private static Dictionary<string, int> CountBy(IEnumerable<string?> names) =>
        names.OfType<string>().GroupBy(name => name).ToDictionary(group => group.Key, group => group.Count());

    private static HelperUse UseOf(HelperRule rule) =>
        new(rule.Place.FamilyName, rule.Place.Table, rule.Chain, rule.Handle, null, rule.Object, rule.Helper);

    private static HelperUse UseOf(HelperObject item) => new(item.Place.FamilyName, item.Place.Table, null, null, null, item.Name, item.Helper);

    /// <summary>Null if it is not a list of ports.</summary>
    internal static IReadOnlyList<ushort>? ParsePorts(string? text)
    {
        List<ushort> ports = [];
        foreach (string part in (text ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (!ushort.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port))
                return null;
            ports.Add(port);
        }

        return ports.Count == 0 ? null : ports;
    }

    /// <summary>The use of helpers in a network namespace, by the kernel's names. Null if it could not be read.</summary>
    private sealed record HelperUsage(
        Dictionary<string, int>? Entries,
        Dictionary<string, int>? Expectations,
        IReadOnlyList<HelperUse>? Rules,
        IReadOnlyList<HelperUse> Objects,
        bool? AutomaticAssignment)
    {
        /// <summary>All names, sorted.</summary>
        public IEnumerable<string> Names =>
            (Entries?.Keys ?? Enumerable.Empty<string>()).Concat(Expectations?.Keys ?? Enumerable.Empty<string>())
                .Concat(Objects.Concat(Rules ?? []).Select(use => use.Helper))
                .Distinct().Order(StringComparer.Ordinal);

        public int? EntriesOf(Func<string, bool> isIts) => Sum(Entries, isIts);

        public int? ExpectationsOf(Func<string, bool> isIts) => Sum(Expectations, isIts);

        public HelperUse[]? RulesOf(Func<string, bool> isIts) => Rules is null ? null : Rules.Where(use => isIts(use.Helper)).ToArray();

        public HelperUse[] ObjectsOf(Func<string, bool> isIts) => Objects.Where(use => isIts(use.Helper)).ToArray();

        private static int? Sum(Dictionary<string, int>? counts, Func<string, bool> isIts) =>
            counts?.Where(pair => isIts(pair.Key)).Sum(pair => pair.Value);
    }
}

/// <summary>Describes which connections get a helper.</summary>
internal static class HelperEffect
{
    public static string Of(ConntrackHelper helper, KernelModules modules) => helper.State switch
    {
        null => $"It is unknown whether the kernel has the helper: no file shows whether {helper.Module} is built in.",
        ModuleState.Missing => $"Connections can't get it: the kernel has no {helper.Module}{(modules.HasFolder ? "" : $", and there is no {modules.Folder}")}.",
        ModuleState.Blacklisted => $"Connections can't get it: {helper.Module} is not loaded, and rules can't load it ({helper.BlacklistedBy}).",
        ModuleState.Available => $"No connection gets it: {helper.Module} is not loaded. A rule that names the helper loads it.",
        _ => Running(helper) + Translation(helper),
    };

    private static string Running(ConntrackHelper helper)
    {
        if (helper.DefaultPorts.Count == 0)
            return "Other helpers attach it to the connections that they expect.";
        string? rules = helper.RuleCount is { } count
            ? count == 0 ? null : $"{Counted.Of(count, "rule attaches", "rules attach")} it"
            : "its rules could not be read";
        if (helper.AutomaticAssignment == true)
        {
            string all = $"Every connection to {string.Join(" or ", helper.Protocols.Select(protocol => protocol.ToString().ToUpperInvariant()))} port {string.Join(", ", helper.Ports ?? [])} gets it, because nf_conntrack_helper is 1";
            return rules is null ? all + "." : $"{all}, and {rules}.";
        }

        string why = helper.AutomaticAssignment == false ? "nf_conntrack_helper is 0" : "this kernel attaches helpers only by rules";
        return rules is null ? $"No connection gets it: {why}, and no rule of nf_tables or iptables names it." : $"Only connections that match rules get it: {why}, and {rules}.";
    }

    private static string Translation(ConntrackHelper helper) => helper is { NatModule: { } module, NatState: not (null or ModuleState.BuiltIn or ModuleState.Loaded) }
        ? $" It does not work under NAT: {module} is not loaded."
        : "";
}
