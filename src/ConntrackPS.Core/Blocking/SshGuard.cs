using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Blocking;

/// <summary>Keeps a block from cutting the SSH connection that asks for it.</summary>
/// <param name="table">The table of the namespace where something is to be blocked. Whichever that is: the connection may
/// pass several.</param>
/// <param name="connection">The connection; null for none.</param>
internal sealed class SshGuard(ConntrackTable table, SshConnection? connection)
{
    private readonly Lazy<ConntrackEntry[]> _own = new(() => [.. connection?.Entries(table) ?? []]);

    /// <summary>Throws where a target names the connection, or its IPv4 addresses as IPv4-mapped ones.</summary>
    /// <exception cref="OwnConnectionException">It does.</exception>
    public void Check(BlockTarget target)
    {
        ArgumentNullException.ThrowIfNull(target);
        if (_own.Value.FirstOrDefault(target.MayMean) is { } own)
            throw new OwnConnectionException(own.ToString());
    }
}

/// <summary>A block would cut the SSH connection that asks for it.</summary>
/// <param name="flow">The connection, on one line.</param>
internal sealed class OwnConnectionException(string flow)
    : Exception($"This would block the SSH connection that the command runs in: {flow}.");
