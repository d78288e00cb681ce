using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>Reads the table, a datagram at a time, and keeps what a filter lets through.</summary>
/// <remarks>Begins again, without repeating anything, when the table is resized under it, and without the kernel's help
/// when the kernel refuses its share of the filter.</remarks>
internal sealed class EntryReader : IDisposable
{
    private const string Operation = "list connection-tracking entries";
    private const int MaximumRepeats = 5;

    /// <summary>Datagrams in a batch: some 1,200 entries, which take the kernel 2 ms.</summary>
    private const int MaximumDatagrams = 8;

    private readonly NetworkNamespace? _networkNamespace;
    private readonly TableKind _kind;
    private readonly ConntrackFilter? _filter;
    private readonly ResizeGuard _resize = new();
    private readonly EmittedEntries _emitted = new();
    private readonly MessageHandler _onMessage;
    private readonly Func<ConntrackEntry> _create;
    private readonly Func<NetworkNamespace?, NetlinkConnection> _open;
    private volatile NetlinkConnection _connection;
    private volatile bool _cancelled;
    private FilterPlan _plan;
    private DumpReader _dump;
    private List<ConntrackEntry> _batch = [];
    private int _datagrams = 1;
    private bool _answered;

    /// <param name="networkNamespace">Where; null for the caller's own.</param>
    /// <param name="plan">Which entries, and how much of that the kernel does.</param>
    /// <param name="kind">Which of the kernel's lists.</param>
    /// <param name="create">Makes the object of each entry; a plain one unless given.</param>
    /// <param name="open">Opens the connection, anew at each repeat; to the kernel unless given.</param>
    public EntryReader(
        NetworkNamespace? networkNamespace,
        FilterPlan plan,
        TableKind kind = TableKind.Main,
        Func<ConntrackEntry>? create = null,
        Func<NetworkNamespace?, NetlinkConnection>? open = null)
    {
        _create = create ?? (() => new ConntrackEntry());
        _open = open ?? NetlinkConnection.Open;
        _networkNamespace = networkNamespace;
        _plan = kind == TableKind.Main ? plan : plan.WithoutKernel();
        _kind = kind;
        _filter = plan.Filter.IsEmpty ? null : plan.Filter;
        _onMessage = Take;
        try
        {
            (_connection, _dump) = Start();
        }
        catch
        {
            _resize.Dispose();
            throw;
        }
    }

    /// <summary>How often the table was resized under the reader, which then read it again.</summary>
    public int Repeats { get; private set; }

    /// <summary>True where entries may be missing all the same: the kernel said so, or the table would not hold still.</summary>
    public bool Interrupted => _dump.Interrupted || Repeats > MaximumRepeats;

    /// <summary>Waits for the next datagrams: one at first, so that the first entry is there at once, and soon several,
    /// since a hand-over has its price.</summary>
    /// <returns>Their entries that match, perhaps none; null at the end of the table.</returns>
    public List<ConntrackEntry>? ReadBatch()
    {
        try
        {
            bool more = true;
            for (int i = 0; i < _datagrams && more; i++)
            {
                more = _dump.Read(_onMessage);
                _answered = true;
            }

            _datagrams = Math.Min(2 * _datagrams, MaximumDatagrams);
            if (_resize.HasResized() && ++Repeats <= MaximumRepeats)
                return Repeat();
            return more || _batch.Count > 0 ? TakeBatch() : null;
        }
        catch (NetlinkException exception) when (IsFilterRefused(exception))
        {
            _plan = _plan.WithoutKernel();
            Restart();
            return [];
        }
        catch (NetlinkException exception) when (!_answered && exception.Errno == Errno.InvalidArgument)
        {
            // A plain dump has nothing in it that could be invalid: the message itself is unknown.
            throw new ConntrackUnavailableException("This kernel has no connection tracking by netlink.", exception);
        }
    }

    /// <summary>Ends any wait, from any thread.</summary>
    public void Cancel()
    {
        _cancelled = true;
        _connection.Cancel();
    }

    public void Dispose()
    {
        _connection.Dispose();
        _resize.Dispose();
    }

    private (NetlinkConnection Connection, DumpReader Dump) Start()
    {
        NetlinkConnection connection = _open(_networkNamespace);
        try
        {
            Span<byte> request = stackalloc byte[NetlinkBatch.MaximumMessageSize];
            return (connection, connection.Dump(TableRequests.Dump(request, _kind, _plan.Kernel), Operation));
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private void Restart()
    {
        _connection.Dispose();
        (_connection, _dump) = Start();
        if (_cancelled)
            _connection.Cancel();
    }

    /// <summary>The datagram in hand may have been filled after the resize already: it is read again with the rest.</summary>
    private List<ConntrackEntry> Repeat()
    {
        _batch.Clear();
        _emitted.Repeat();
        Restart();
        return [];
    }

    private List<ConntrackEntry> TakeBatch()
    {
        List<ConntrackEntry> full = _batch;
        _batch = new List<ConntrackEntry>(full.Count);
        full.RemoveAll(entry => !_emitted.Add(entry));
        return full;
    }

    private bool IsFilterRefused(NetlinkException exception) =>
        !_answered && !_plan.Kernel.IsEmpty
        && exception.Errno is Errno.InvalidArgument or Errno.NotSupported or Errno.OutOfRange;

    private void Take(NetlinkMessage message)
    {
        ConntrackEntry entry = _create();
        EntryDecoder.Decode(message, entry);
        if (_filter is not null && !_filter.Matches(entry))
            return;
        entry.Namespace = _networkNamespace?.Name;
        _batch.Add(entry);
    }
}
