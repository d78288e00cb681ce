using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Nftables;

namespace ConntrackPS.Rules;

/// <summary>A rule for traffic, in force until it is disposed, or the process ends in any way. It uses an nf_tables table that belongs to a
/// socket (NFT_TABLE_F_OWNER, Linux 5.12). No other table is changed.</summary>
/// <remarks>Safe for use from several threads.</remarks>
internal sealed class TrafficRule : IDisposable
{
    private const int MostAttempts = 1000;

    private readonly WatchedTable _table;

    private TrafficRule(NetlinkConnection connection, RuleName name, ConntrackFilter filter, RuleAction action)
    {
        (Filter, Action) = (filter, action);
        _table = new WatchedTable(connection, new OwnedTable(connection, name.ToString(), "add a rule", $"{action.Effect}: {filter}"), "rule", "it had no effect");
    }

    /// <summary>The traffic.</summary>
    public ConntrackFilter Filter { get; }

    /// <summary>The effect on the traffic.</summary>
    public RuleAction Action { get; }

    /// <summary>The name of the table, of family inet, as <c>nft list ruleset</c> shows it.</summary>
    public string Name => _table.Name;

    /// <summary>The time when the rule was added, local time.</summary>
    public DateTime Since { get; } = DateTime.Now;

    /// <inheritdoc cref="WatchedTable.IsInForce"/>
    public bool IsInForce => _table.IsInForce;

    /// <inheritdoc cref="WatchedTable.LossCount"/>
    public int LossCount => _table.LossCount;

    /// <inheritdoc cref="WatchedTable.Problem"/>
    public string? Problem => _table.Problem;

    /// <summary>The kernel's name for the network namespace, such as net:[4026531840].</summary>
    public string NamespaceIdentity { get; private init; } = "";

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; private init; }

    /// <summary>Adds a rule.</summary>
    /// <param name="filter">The traffic.</param>
    /// <param name="action">The effect on the traffic.</param>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <exception cref="UnsupportedConditionException">The filter has a condition on something that packets do not have.</exception>
    /// <exception cref="NftablesUnavailableException">The kernel does not support this.</exception>
    /// <exception cref="NetlinkException">The kernel refused the request: EPERM without CAP_NET_ADMIN.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public static TrafficRule Open(ConntrackFilter filter, RuleAction action, NetworkNamespace? networkNamespace = null)
    {
        PacketSelector.Of(filter);
        (string identity, NetlinkConnection connection) = ConntrackTable.Attempt(
            () => (NetworkNamespace.ReadIdentity(networkNamespace), NetlinkConnection.Open(networkNamespace)));
        return Open(filter, action, connection, networkNamespace?.Name, identity);
    }

    /// <inheritdoc cref="Open(ConntrackFilter, RuleAction, NetworkNamespace?)"/>
    internal static TrafficRule Open(ConntrackFilter filter, RuleAction action, NetlinkConnection connection, string? networkNamespace, string identity)
    {
        PacketSelector traffic = PacketSelector.Of(filter);
        try
        {
            for (int number = 1; ; number++)
            {
                TrafficRule rule = new(connection, new RuleName(action.Kind, Environment.ProcessId, number), filter, action)
                {
                    NamespaceIdentity = identity,
                    Namespace = networkNamespace,
                };
                try
                {
                    rule._table.Begin((table, transaction) => action.AddTo(table, transaction, traffic));
                    return rule;
                }
                catch (NetlinkException exception) when (number < MostAttempts && IsTaken(exception.Errno, connection, rule.Name))
                {
                    // An earlier rule of this process, or one of a process in another container that has the same id.
                }
            }
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>True if there is a table of the name. If another socket owns it, the kernel answers EPERM, as without CAP_NET_ADMIN.</summary>
    private static bool IsTaken(Errno errno, NetlinkConnection connection, string name) =>
        errno == Errno.Exists || (errno == Errno.NotPermitted && NamedTables.Read(connection).Any(table => table.Name == name));

    /// <inheritdoc cref="WatchedTable.ReadCounters"/>
    public RuleCounters ReadCounters() => _table.ReadCounters();

    /// <summary>Removes the rule.</summary>
    public void Dispose() => _table.Dispose();
}

/// <summary>The rules that this process keeps for longer than one command. They end with the process at the latest.</summary>
internal static class RuleSession
{
    private static readonly object Gate = new();
    private static readonly List<TrafficRule> Rules = [];

    /// <summary>Keeps a rule.</summary>
    public static void Hold(TrafficRule rule)
    {
        lock (Gate)
            Rules.Add(rule);
    }

    /// <summary>The rules of a network namespace, in the order in which they were added.</summary>
    /// <param name="identity">The result of <see cref="NetworkNamespace.ReadIdentity"/>.</param>
    public static IReadOnlyList<TrafficRule> In(string identity)
    {
        lock (Gate)
            return [.. Rules.Where(rule => rule.NamespaceIdentity == identity)];
    }

    /// <summary>The network namespaces with rules, as the user named them; null for the caller's own.</summary>
    public static IReadOnlyCollection<string?> Namespaces()
    {
        lock (Gate)
            return [.. Rules.Select(rule => rule.Namespace).Distinct()];
    }

    /// <summary>Ends a rule.</summary>
    /// <returns>False if it has ended already.</returns>
    public static bool End(TrafficRule rule)
    {
        lock (Gate)
        {
            if (!Rules.Remove(rule))
                return false;
        }

        rule.Dispose();
        return true;
    }

    /// <summary>Ends all rules.</summary>
    public static void EndAll()
    {
        lock (Gate)
        {
            Rules.ForEach(rule => rule.Dispose());
            Rules.Clear();
        }
    }
}
