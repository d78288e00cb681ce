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

    private readonly object _gate = new();
    private readonly NetlinkConnection _connection;
    private readonly OwnedTable _table;
    private bool _isEnded;

    private TrafficRule(NetlinkConnection connection, RuleName name, ConntrackFilter filter, RuleAction action)
    {
        (_connection, Filter, Action) = (connection, filter, action);
        _table = new OwnedTable(connection, name.ToString(), "add a rule", $"{action.Effect}: {filter}");
    }

    /// <summary>The traffic.</summary>
    public ConntrackFilter Filter { get; }

    /// <summary>The effect on the traffic.</summary>
    public RuleAction Action { get; }

    /// <summary>The name of the table, of family inet, as <c>nft list ruleset</c> shows it.</summary>
    public string Name => _table.Name;

    /// <summary>The time when the rule was added, local time.</summary>
    public DateTime Since { get; } = DateTime.Now;

    /// <summary>True if the kernel has the rule's table.</summary>
    /// <exception cref="NetlinkException">The kernel refused the request.</exception>
    public bool IsInForce
    {
        get
        {
            lock (_gate)
                return !_isEnded && _table.IsThere();
        }
    }

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
        PacketSelector traffic = PacketSelector.Of(filter);
        (string identity, NetlinkConnection connection) = ConntrackTable.Attempt(
            () => (NetworkNamespace.ReadIdentity(networkNamespace), NetlinkConnection.Open(networkNamespace)));
        try
        {
            for (int number = 1; ; number++)
            {
                TrafficRule rule = new(connection, new RuleName(action.Kind, Environment.ProcessId, number), filter, action)
                {
                    NamespaceIdentity = identity,
                    Namespace = networkNamespace?.Name,
                };
                try
                {
                    rule._table.Make((table, transaction) => action.AddTo(table, transaction, traffic));
                    return rule;
                }
                catch (NetlinkException exception) when (exception.Errno == Errno.Exists && number < MostAttempts)
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

    /// <summary>Reads the counters of the rule.</summary>
    /// <exception cref="NetlinkException">The kernel refused the request.</exception>
    public RuleCounters ReadCounters()
    {
        lock (_gate)
            return _isEnded ? default : RuleCounters.Read(_connection, Name);
    }

    /// <summary>Removes the rule.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_isEnded)
                return;
            _isEnded = true;
            _connection.Dispose();
        }
    }
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
