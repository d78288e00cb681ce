using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>Reads the table, a datagram at a time, and keeps what a filter lets through.</summary>
internal sealed class EntryReader : IDisposable
{
    private const string Operation = "list connection-tracking entries";

    private readonly NetlinkConnection _connection;
    private readonly DumpReader _dump;
    private readonly ConntrackFilter? _filter;
    private readonly string? _namespace;
    private readonly MessageHandler _onMessage;
    private List<ConntrackEntry> _batch = [];

    public EntryReader(NetworkNamespace? networkNamespace, ConntrackFilter? filter)
    {
        _filter = filter is { IsEmpty: false } ? filter : null;
        _namespace = networkNamespace?.Name;
        _onMessage = Take;
        _connection = NetlinkConnection.Open(networkNamespace);
        try
        {
            Span<byte> request = stackalloc byte[NetlinkBatch.MaximumMessageSize];
            _dump = _connection.Dump(TableRequests.Dump(request, filter?.AddressFamily ?? IPFamily.Unspecified), Operation);
        }
        catch
        {
            _connection.Dispose();
            throw;
        }
    }

    /// <summary>The kernel said that the table changed under the dump in a way that may lose entries.</summary>
    public bool Interrupted => _dump.Interrupted;

    /// <summary>Waits for the next datagram.</summary>
    /// <returns>Its entries that match, perhaps none; null at the end of the table.</returns>
    public List<ConntrackEntry>? ReadBatch()
    {
        if (!_dump.Read(_onMessage))
            return null;
        List<ConntrackEntry> full = _batch;
        _batch = new List<ConntrackEntry>(full.Count);
        return full;
    }

    /// <summary>Ends any wait, from any thread.</summary>
    public void Cancel() => _connection.Cancel();

    public void Dispose() => _connection.Dispose();

    private void Take(NetlinkMessage message)
    {
        ConntrackEntry entry = EntryDecoder.Decode(message);
        if (_filter is not null && !_filter.Matches(entry))
            return;
        entry.Namespace = _namespace;
        _batch.Add(entry);
    }
}
