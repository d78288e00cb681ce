using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>Deletes entries one by one, sent in batches. An entry that is gone already is counted, and no failure.</summary>
/// <remarks>What is added goes out when a batch is full, on <see cref="Flush"/>, and at the latest after
/// <see cref="Linger"/>, so that a slow pipeline deletes promptly. Safe for use from several threads.</remarks>
public sealed class EntryDeleter : IDisposable
{
    /// <summary>How long an added entry may wait for company.</summary>
    public static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(20);

    private const string Operation = "delete a connection-tracking entry";

    private readonly object _gate = new();
    private readonly NetlinkConnection _connection;
    private readonly NetlinkBatch _batch;
    private readonly bool _keepDeleted;
    private readonly Timer _timer;
    private readonly List<(EntryKey Key, object Entry)> _waiting = [];
    private List<DeleteResult> _results = [];
    private Exception? _failure;
    private bool _disposed;

    internal EntryDeleter(NetworkNamespace? networkNamespace, bool keepDeleted)
    {
        _keepDeleted = keepDeleted;
        _connection = NetlinkConnection.Open(networkNamespace);
        _batch = _connection.CreateBatch(Operation);
        _timer = new Timer(_ => FlushInBackground());
    }

    /// <summary>Entries deleted so far.</summary>
    public long Deleted { get; private set; }

    /// <summary>Entries that were gone already.</summary>
    public long AlreadyGone { get; private set; }

    /// <summary>Entries that the kernel refused to delete.</summary>
    public long Failed { get; private set; }

    /// <summary>Adds an entry to delete.</summary>
    /// <param name="key">Which one.</param>
    /// <param name="entry">Comes back with the result.</param>
    /// <exception cref="NetlinkException">The kernel took no batch at all, for lack of privilege for instance.</exception>
    public void Add(in EntryKey key, object entry)
    {
        lock (_gate)
        {
            ThrowEarlierFailure();
            _batch.Add(TableRequests.Delete(_batch.NextMessage, key));
            _waiting.Add((key, entry));
            if (_batch.IsFull)
                Send();
            else if (_waiting.Count == 1)
                _timer.Change(Linger, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Sends what waits.</summary>
    /// <exception cref="NetlinkException">The kernel took no batch at all, for lack of privilege for instance.</exception>
    public void Flush()
    {
        lock (_gate)
        {
            ThrowEarlierFailure();
            Send();
        }
    }

    /// <summary>What became of entries since the last call: refusals, and deleted ones where these are kept.</summary>
    public IReadOnlyList<DeleteResult> TakeResults()
    {
        lock (_gate)
        {
            if (_results.Count == 0)
                return [];
            List<DeleteResult> taken = _results;
            _results = [];
            return taken;
        }
    }

    /// <summary>Closes the socket; what was added but not sent is not deleted.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _timer.Dispose();
            _connection.Dispose();
        }
    }

    private void FlushInBackground()
    {
        lock (_gate)
        {
            if (_disposed || _failure is not null)
                return;
            try
            {
                Send();
            }
            catch (Exception exception)
            {
                // Kept for the caller: nobody listens on a timer's thread.
                _failure = exception;
            }
        }
    }

    private void ThrowEarlierFailure()
    {
        if (_failure is { } failure)
        {
            _failure = null;
            throw failure;
        }
    }

    private void Send()
    {
        if (_waiting.Count == 0)
            return;
        NetlinkAnswer?[]? refusals = null;
        try
        {
            _batch.Send((index, answer) => (refusals ??= new NetlinkAnswer?[_waiting.Count])[index] = answer);
            if (refusals is null && !_keepDeleted)
                Deleted += _waiting.Count;
            else
                CollectResults(refusals);
        }
        finally
        {
            _waiting.Clear();
        }
    }

    private void CollectResults(NetlinkAnswer?[]? refusals)
    {
        for (int i = 0; i < _waiting.Count; i++)
        {
            (EntryKey key, object entry) = _waiting[i];
            if (refusals?[i] is not { } answer)
            {
                Deleted++;
                if (_keepDeleted)
                    _results.Add(new DeleteResult(entry, key, null));
            }
            else if (answer.Errno == Errno.NotFound)
            {
                AlreadyGone++;
            }
            else
            {
                Failed++;
                _results.Add(new DeleteResult(entry, key, answer.ToException(Operation)));
            }
        }
    }
}
