using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Nftables;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Rules;

/// <summary>The rules of a network namespace that this library added: those of this process, those of others, and those that are
/// persisted. Each has a table of its own. No other table is changed.</summary>
public sealed class RuleBook
{
    private const string Operation = "add a rule";

    private readonly NetworkNamespace? _networkNamespace;
    private readonly RulePersister? _persister;
    private readonly string? _remover;

    /// <summary>Refers to a network namespace. Nothing is read yet.</summary>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    public RuleBook(NetworkNamespace? networkNamespace = null)
        : this(networkNamespace, new SystemRoot())
    {
    }

    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <param name="root">The system whose files have the persisted rules. They are used only if they configure this namespace.</param>
    /// <param name="remover">The command that removes a rule by its name, for the first line of files. Null for none.</param>
    internal RuleBook(NetworkNamespace? networkNamespace, SystemRoot root, string? remover = null) =>
        (_networkNamespace, _persister, _remover) = (networkNamespace, root.HoldsFor(networkNamespace) ? new RulePersister(root) : null, remover);

    /// <summary>Files that could not be read, and reasons for which boot may not load a rule, one sentence each.</summary>
    public IReadOnlyList<string> Problems => _persister?.Problems ?? [];

    /// <summary>Reads the rules with their counters: those of this process, persisted ones, then those of other processes.</summary>
    /// <exception cref="NetlinkException">The kernel refused the request: EPERM without CAP_NET_ADMIN.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public IReadOnlyList<ConntrackRule> Read()
    {
        (string identity, NetlinkConnection connection) = Open();
        using NetlinkConnection used = connection;
        Dictionary<string, NamedTable> tables = NamedTables.Read(connection).Where(table => RuleName.Parse(table.Name) is not null).ToDictionary(table => table.Name);
        IReadOnlyList<TrafficRule> own = RuleSession.In(identity);
        IReadOnlyList<RuleFile> persisted = _persister?.Read() ?? [];
        List<ConntrackRule> rules = [.. own.Select(rule => Show(rule, connection)), .. persisted.Select(file => Show(file, tables.ContainsKey(file.Name.ToString()), connection))];
        HashSet<string> known = [.. rules.Select(rule => rule.Name)];
        rules.AddRange(tables.Values.Where(table => !known.Contains(table.Name)).OrderBy(table => table.Name, StringComparer.Ordinal).Select(table => Show(table, connection)));
        return rules;
    }

    /// <summary>Adds a rule that ends with this process. A rule that does the same already is kept instead.</summary>
    /// <exception cref="UnsupportedConditionException">The filter has a condition on something that packets do not have.</exception>
    /// <exception cref="NftablesUnavailableException">The kernel does not support this.</exception>
    /// <exception cref="NetlinkException">The kernel refused the request: EPERM without CAP_NET_ADMIN.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    internal ConntrackRule Add(ConntrackFilter filter, RuleAction action)
    {
        if (Read().FirstOrDefault(rule => rule.IsInForce && IsSame(rule, filter, action)) is { } present)
            return present;
        TrafficRule added = TrafficRule.Open(filter, action, _networkNamespace);
        RuleSession.Hold(added);
        using NetlinkConnection connection = Open().Connection;
        return Show(added, connection);
    }

    /// <summary>Adds a rule that each boot loads again. It takes the place of a rule of this process that does the same.</summary>
    /// <param name="filter">The traffic.</param>
    /// <param name="action">The effect on the traffic.</param>
    /// <param name="addFurther">Adds changes of further files.</param>
    /// <returns>The rule and the changed files.</returns>
    /// <exception cref="InvalidOperationException">Boot does not configure this namespace.</exception>
    /// <exception cref="NoNftablesServiceException">The system has no nftables service.</exception>
    /// <exception cref="PersistenceException">A file could not be written. Nothing was changed.</exception>
    /// <inheritdoc cref="Add"/>
    internal (ConntrackRule Rule, IReadOnlyList<string> Files) Persist(ConntrackFilter filter, RuleAction action, RulePersister.FurtherFiles? addFurther = null)
    {
        RulePersister persister = _persister ?? throw new InvalidOperationException("Boot does not configure this namespace.");
        PacketSelector traffic = PacketSelector.Of(filter);
        IReadOnlyList<ConntrackRule> rules = Read();
        ConntrackRule? same = rules.FirstOrDefault(rule => rule.File is not null && IsSame(rule, filter, action));
        RuleName name = same is null ? FreeName(action.Kind, rules) : RuleName.Parse(same.Name)!.Value;
        using NetlinkConnection connection = Open().Connection;
        bool isAdded = same?.IsInForce != true;
        if (isAdded)
            NamedTables.Add(connection, name.ToString(), Operation, (table, transaction) => action.AddTo(table, transaction, traffic));
        IReadOnlyList<string> files;
        try
        {
            files = persister.Write(name, RuleFile.Write(name, filter, action, _remover), addFurther);
        }
        catch
        {
            if (isAdded)
                NamedTables.Delete(connection, name.ToString(), "remove a rule");
            throw;
        }

        foreach (ConntrackRule replaced in rules.Where(rule => rule.Lifetime == RuleLifetime.Process && IsSame(rule, filter, action)))
            Remove(replaced);
        return (Read().First(rule => rule.Name == name.ToString()), files);
    }

    /// <summary>Removes a rule: its table, and its file if it is persisted.</summary>
    /// <param name="rule">A rule of <see cref="Read"/>.</param>
    /// <returns>False if it was gone.</returns>
    /// <exception cref="ForeignRuleException">The rule belongs to another process.</exception>
    /// <exception cref="NetlinkException">The kernel refused the request: EPERM without CAP_NET_ADMIN.</exception>
    public bool Remove(ConntrackRule rule) => Remove(rule, null).IsRemoved;

    /// <param name="rule">A rule of <see cref="Read"/>.</param>
    /// <param name="addFurther">Adds changes of further files.</param>
    /// <returns>False if it was gone; and the changed files.</returns>
    /// <exception cref="PersistenceException">A file could not be changed. The rule is still in force.</exception>
    /// <inheritdoc cref="Remove(ConntrackRule)"/>
    internal (bool IsRemoved, IReadOnlyList<string> Files) Remove(ConntrackRule rule, RulePersister.FurtherFiles? addFurther)
    {
        ArgumentNullException.ThrowIfNull(rule);
        (string identity, NetlinkConnection connection) = Open();
        using NetlinkConnection used = connection;
        if (rule.Lifetime == RuleLifetime.Process)
        {
            TrafficRule? own = RuleSession.In(identity).FirstOrDefault(own => own.Name == rule.Name);
            return own is not null ? (RuleSession.End(own), []) : throw new ForeignRuleException(rule);
        }

        // The file first: without it, no boot brings the rule back. A table that stays is still listed.
        RuleFile? file = rule.File is null ? null : _persister?.Read().FirstOrDefault(file => file.File == rule.File);
        IReadOnlyList<string> files = file is null ? [] : _persister!.Delete(file, addFurther);
        return (NamedTables.Delete(connection, rule.Name, "remove a rule") || file is not null, files);
    }

    private (string Identity, NetlinkConnection Connection) Open() => ConntrackTable.Attempt(
        () => (NetworkNamespace.ReadIdentity(_networkNamespace), NetlinkConnection.Open(_networkNamespace)));

    private static bool IsSame(ConntrackRule rule, ConntrackFilter filter, RuleAction action) =>
        rule.Action == action && rule.Filter?.ToString() == filter.ToString();

    private static RuleName FreeName(RuleKind kind, IReadOnlyList<ConntrackRule> rules)
    {
        HashSet<string> used = [.. rules.Select(rule => rule.Name)];
        return Enumerable.Range(1, int.MaxValue - 1).Select(number => new RuleName(kind, null, number)).First(name => !used.Contains(name.ToString()));
    }

    private ConntrackRule Show(TrafficRule rule, NetlinkConnection connection)
    {
        RuleCounters counters = rule.ReadCounters();
        return new ConntrackRule(rule.Name, rule.Action.Kind, rule.Filter.ToString(), rule.Action.Effect)
        {
            Lifetime = RuleLifetime.Process,
            ProcessId = Environment.ProcessId,
            IsInForce = rule.IsInForce,
            Packets = counters.Packets,
            Bytes = counters.Bytes,
            LossCount = rule.LossCount,
            Problem = Join(rule.Problem, (rule.Action as LimitAction)?.DescribeFull(connection, rule.Name)),
            Since = rule.Since,
            Namespace = _networkNamespace?.Name ?? rule.Namespace,
            Filter = rule.Filter,
            Action = rule.Action,
        };
    }

    private ConntrackRule Show(RuleFile file, bool isInForce, NetlinkConnection connection)
    {
        RuleCounters? counters = isInForce ? RuleCounters.Read(connection, file.Name.ToString()) : null;
        return new ConntrackRule(file.Name.ToString(), file.Name.Kind, file.Filter?.ToString() ?? "unknown: its file was changed", file.Action?.Effect ?? "unknown")
        {
            Lifetime = RuleLifetime.Persistent,
            IsInForce = isInForce,
            Packets = counters?.Packets,
            Bytes = counters?.Bytes,
            Problem = isInForce ? (file.Action as LimitAction)?.DescribeFull(connection, file.Name.ToString()) : null,
            File = file.File,
            Namespace = _networkNamespace?.Name,
            Filter = file.Filter,
            Action = file.Action,
        };
    }

    private static string? Join(string? first, string? second) => first is null || second is null ? first ?? second : $"{first} {second}";

    /// <summary>A rule of another process, which the comment of its table describes, or one whose file is gone.</summary>
    private ConntrackRule Show(NamedTable table, NetlinkConnection connection)
    {
        RuleName name = RuleName.Parse(table.Name)!.Value;
        RuleCounters counters = RuleCounters.Read(connection, table.Name);
        string[] parts = (table.Comment ?? "").Split(": ", 2);
        return new ConntrackRule(table.Name, name.Kind, parts.Length == 2 ? parts[1] : "unknown: no file describes it", parts.Length == 2 ? parts[0] : "unknown")
        {
            Lifetime = table.Owner is null ? RuleLifetime.Persistent : RuleLifetime.Process,
            ProcessId = table.Owner is null ? null : name.ProcessId,
            IsInForce = true,
            Packets = counters.Packets,
            Bytes = counters.Bytes,
            Namespace = _networkNamespace?.Name,
        };
    }
}

/// <summary>A rule belongs to another process, and only that can remove it.</summary>
/// <param name="rule">The rule.</param>
public sealed class ForeignRuleException(ConntrackRule rule)
    : Exception(FormattableString.Invariant($"The rule {rule.Name} belongs to process {rule.ProcessId}, and ends with it."))
{
    /// <summary>The rule.</summary>
    public ConntrackRule Rule { get; } = rule;
}
