using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>Sends requests about entries in batches.</summary>
/// <remarks>A request is sent when the batch is full, on <see cref="Flush"/>, or after <see cref="MaximumDelay"/> at the latest, so that a
/// slow pipeline has a prompt effect. Safe for use from several threads.</remarks>
internal abstract class EntryBatch : IDisposable
{
    /// <summary>The maximum time between adding a request and sending its batch.</summary>
    internal static readonly TimeSpan MaximumDelay = TimeSpan.FromMilliseconds(20);

    private readonly NetlinkConnection _connection;
    private readonly NetlinkBatch _batch;
    private readonly string _operation;
    private readonly bool _keepDone;
    private readonly Timer _timer;
    private readonly List<object> _waiting = [];
    private List<EntryResult> _results = [];
    private Exception? _failure;
    private bool _isScheduled;
    private bool _disposed;

    private protected EntryBatch(NetworkNamespace? networkNamespace, string operation, bool keepDone)
    {
        (_operation, _keepDone) = (operation, keepDone);
        _connection = NetlinkConnection.Open(networkNamespace);
        _batch = _connection.CreateBatch(operation);
        _timer = new Timer(_ => FlushInBackground());
    }

    /// <summary>The number of entries that the kernel refused.</summary>
    public long Failed { get; private set; }

    /// <summary>The number of successful requests.</summary>
    public long Done { get; private set; }

    /// <summary>The lock of the batch: one thread adds entries, and the timer's thread sends them.</summary>
    private protected object Gate { get; } = new();

    /// <summary>Sends the waiting requests.</summary>
    /// <exception cref="NetlinkException">The kernel refused the whole batch, for example for lack of privilege.</exception>
    public void Flush()
    {
        lock (Gate)
        {
            ThrowEarlierFailure();
            SendAll();
        }
    }

    /// <summary>The results since the last call: refusals, and successes if they are kept.</summary>
    public IReadOnlyList<EntryResult> TakeResults()
    {
        lock (Gate)
        {
            if (_results.Count == 0)
                return [];
            List<EntryResult> taken = _results;
            _results = [];
            return taken;
        }
    }

    /// <summary>Closes the socket. Requests that were not sent have no effect.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes the resources of the batch.</summary>
    /// <param name="disposing">Always true: there is no finalizer.</param>
    protected virtual void Dispose(bool disposing)
    {
        lock (Gate)
        {
            _disposed = true;
            _timer.Dispose();
            _connection.Dispose();
        }
    }

    /// <summary>Writes one request into the buffer and returns its length.</summary>
    public delegate int RequestWriter<TState>(Span<byte> buffer, in TState state);

    /// <summary>Adds a request. It is sent with its batch.</summary>
    public void Add<TState>(RequestWriter<TState> write, in TState state, object entry)
    {
        lock (Gate)
        {
            ThrowEarlierFailure();
            Enqueue(write, state, entry);
            Schedule(_batch.IsFull);
        }
    }

    /// <summary>Adds a request to the waiting ones. The caller holds <see cref="Gate"/>.</summary>
    private protected void Enqueue<TState>(RequestWriter<TState> write, in TState state, object entry)
    {
        if (_batch.IsFull)
            Transmit();
        _batch.Add(write(_batch.NextMessage, state));
        _waiting.Add(entry);
    }

    /// <summary>Sends the waiting requests: immediately if the batch is full, otherwise after a delay.</summary>
    private protected void Schedule(bool isFull)
    {
        if (isFull)
            SendAll();
        else if (!_isScheduled)
            _isScheduled = _timer.Change(MaximumDelay, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Decides about a refusal. True if it is not an error.</summary>
    private protected abstract bool Forgives(object entry, Errno errno);

    /// <summary>The caller's object of a waiting request.</summary>
    private protected virtual object Unwrap(object entry) => entry;

    /// <summary>Sends all waiting requests. The caller holds <see cref="Gate"/>.</summary>
    private protected virtual void Send() => Transmit();

    /// <summary>Reports a failed entry.</summary>
    private protected void Fail(object entry, NetlinkException failure)
    {
        Failed++;
        _results.Add(new EntryResult(entry, failure));
    }

    private protected void ThrowEarlierFailure()
    {
        if (_failure is { } failure)
        {
            _failure = null;
            throw failure;
        }
    }

    /// <summary>Sends the batch and collects the answers.</summary>
    private protected void Transmit()
    {
        if (_waiting.Count == 0)
            return;
        NetlinkAnswer?[]? refusals = null;
        try
        {
            _batch.Send((index, answer) => (refusals ??= new NetlinkAnswer?[_waiting.Count])[index] = answer);
            if (refusals is null && !_keepDone)
                Done += _waiting.Count;
            else
                CollectResults(refusals);
        }
        finally
        {
            _waiting.Clear();
        }
    }

    private void FlushInBackground()
    {
        lock (Gate)
        {
            if (_disposed || _failure is not null)
                return;
            try
            {
                SendAll();
            }
            catch (Exception exception)
            {
                // Kept for the caller: an exception on the timer's thread would end the process.
                _failure = exception;
            }
        }
    }

    private void SendAll()
    {
        _isScheduled = false;
        Send();
    }

    private void CollectResults(NetlinkAnswer?[]? refusals)
    {
        for (int i = 0; i < _waiting.Count; i++)
        {
            if (refusals?[i] is not { } answer)
            {
                Done++;
                if (_keepDone)
                    _results.Add(new EntryResult(Unwrap(_waiting[i]), null));
            }
            else if (!Forgives(_waiting[i], answer.Errno))
            {
                Fail(Unwrap(_waiting[i]), answer.ToException(_operation));
            }
        }
    }
}

/// <summary>The result of one entry of a batch.</summary>
/// <param name="Entry">The object from the caller.</param>
/// <param name="Failure">The kernel's refusal, or null on success.</param>
public sealed record EntryResult(object Entry, NetlinkException? Failure);

/// <summary>A batch of requests about existing entries. Entries that are already gone are counted, and are not failures.</summary>
internal class ExistingEntryBatch(NetworkNamespace? networkNamespace, string operation, bool keepDone)
    : EntryBatch(networkNamespace, operation, keepDone)
{
    /// <summary>The number of entries that were already gone.</summary>
    public long AlreadyGone { get; private protected set; }

    private protected override bool Forgives(object entry, Errno errno)
    {
        if (errno != Errno.NotFound)
            return false;
        AlreadyGone++;
        return true;
    }
}

/// <summary>Creates entries one by one, in batches.</summary>
/// <remarks>A request is sent when the batch is full, on <see cref="Flush"/>, or after 20 ms at the latest. Safe for use from several
/// threads.</remarks>
public sealed class EntryCreator : IDisposable
{
    private readonly Batch _batch;

    internal EntryCreator(NetworkNamespace? networkNamespace, bool keepCreated) => _batch = new Batch(networkNamespace, keepCreated);

    /// <summary>The number of entries created so far.</summary>
    public long Created => _batch.Done;

    /// <summary>The number of entries that the kernel refused.</summary>
    public long Failed => _batch.Failed;

    /// <summary>Adds an entry to create.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="tag">An object that is returned with the result.</param>
    /// <exception cref="FormatException">A tuple of the entry or of its master is incomplete.</exception>
    /// <exception cref="NetlinkException">The kernel refused the whole batch: EPERM without CAP_NET_ADMIN.</exception>
    public void Add(ConntrackEntry entry, object tag)
    {
        ArgumentNullException.ThrowIfNull(entry);
        entry.ThrowIfIncomplete();
        _batch.Add(Write, entry, tag);
    }

    /// <summary>Sends the waiting requests.</summary>
    /// <exception cref="NetlinkException">The kernel refused the whole batch: EPERM without CAP_NET_ADMIN.</exception>
    public void Flush() => _batch.Flush();

    /// <summary>The results since the last call: refusals, and successes if they are kept.</summary>
    public IReadOnlyList<EntryResult> TakeResults() => _batch.TakeResults();

    /// <summary>Closes the socket. Requests that were not sent have no effect.</summary>
    public void Dispose() => _batch.Dispose();

    private static int Write(Span<byte> buffer, in ConntrackEntry entry) =>
        EntryEncoder.Create(buffer, entry, MessageFlags.Create | MessageFlags.Exclusive);

    private sealed class Batch(NetworkNamespace? networkNamespace, bool keepCreated)
        : EntryBatch(networkNamespace, "create a connection-tracking entry", keepCreated)
    {
        private protected override bool Forgives(object entry, Errno errno) => false;
    }
}
