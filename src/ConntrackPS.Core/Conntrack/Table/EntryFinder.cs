using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>Looks entries up one by one, each by a single request.</summary>
public sealed class EntryFinder : IDisposable
{
    private readonly NetlinkConnection _connection;
    private readonly string? _namespace;
    private readonly byte[] _request = new byte[NetlinkBatch.MaximumMessageSize];

    internal EntryFinder(NetworkNamespace? networkNamespace) =>
        (_connection, _namespace) = (NetlinkConnection.Open(networkNamespace), networkNamespace?.Name);

    /// <summary>Looks an entry up by a tuple, in whichever direction it goes, and its zone.</summary>
    /// <param name="key">The tuple and zone; an id must be the entry's too.</param>
    /// <param name="resetCounter">Whether the entry's counters become 0 once they are read.</param>
    /// <returns>The entry, or null where there is none.</returns>
    /// <exception cref="NetlinkException">The kernel refused.</exception>
    public ConntrackEntry? Find(in EntryKey key, bool resetCounter = false)
    {
        ConntrackEntry? found = null;
        bool exists = _connection.TryRequest(
            TableRequests.Get(_request, key, resetCounter),
            "look up a connection-tracking entry",
            message => found = EntryDecoder.Decode(message));
        if (!exists || found is null || (key.Id is { } id && found.Id != id))
            return null;
        found.Namespace = _namespace;
        return found;
    }

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _connection.Dispose();
}
