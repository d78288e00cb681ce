using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Nftables;

namespace ConntrackPS.Rules;

/// <summary>A rule for traffic, in force until it is disposed, or the process ends in any way. It uses an nf_tables table that belongs to a
/// socket (NFT_TABLE_F_OWNER, Linux 5.12). No other table is changed.</summary>
/// <remarks>Safe for use from several threads.</remarks>
public sealed class TrafficRule : IDisposable
{
    private readonly object _gate = new();
    private readonly NetlinkConnection _connection;
    private readonly OwnedTable _table;
    private bool _isEnded;

    private TrafficRule(NetlinkConnection connection, RuleKind kind, string traffic, string effect, string? networkNamespace, string identity)
    {
        (_connection, Kind, Traffic, Effect, Namespace, NamespaceIdentity) = (connection, kind, traffic, effect, networkNamespace, identity);
        _table = new OwnedTable(connection, OwnedTable.NewName(), "add a rule");
    }

    /// <summary>The kind of rule.</summary>
    public RuleKind Kind { get; }

    /// <summary>The traffic, as a filter in words.</summary>
    public string Traffic { get; }

    /// <summary>What the rule does with the traffic, in words.</summary>
    public string Effect { get; }

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; }

    /// <summary>The name of the table, of family inet, as <c>nft list ruleset</c> shows it.</summary>
    public string Table => _table.Name;

    /// <summary>When the rule was added, local time.</summary>
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
    internal string NamespaceIdentity { get; }

    /// <summary>Adds a rule.</summary>
    /// <param name="filter">The traffic.</param>
    /// <param name="action">What the rule does.</param>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <exception cref="UnsupportedConditionException">The filter has a condition on something that packets do not have.</exception>
    /// <exception cref="NftablesUnavailableException">The kernel does not support this.</exception>
    /// <exception cref="NetlinkException">The kernel refused the request: EPERM without CAP_NET_ADMIN.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    internal static TrafficRule Open(ConntrackFilter filter, RuleAction action, NetworkNamespace? networkNamespace = null)
    {
        PacketSelector traffic = PacketSelector.Of(filter);
        (string identity, NetlinkConnection connection) = ConntrackTable.Attempt(
            () => (NetworkNamespace.ReadIdentity(networkNamespace), NetlinkConnection.Open(networkNamespace)));
        TrafficRule rule = new(connection, action.Kind, filter.ToString(), action.ToString(), networkNamespace?.Name, identity);
        try
        {
            rule._table.Make((table, transaction) => action.AddTo(table, transaction, traffic));
            return rule;
        }
        catch
        {
            rule.Dispose();
            throw;
        }
    }

    /// <summary>Reads how many packets the rule has matched.</summary>
    /// <exception cref="NetlinkException">The kernel refused the request.</exception>
    public RuleCounters ReadCounters()
    {
        lock (_gate)
            return _isEnded ? default : RuleCounters.Read(_connection, Table);
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
