using ConntrackPS.Events.Receiving;
using ConntrackPS.Linux;

namespace ConntrackPS.Events;

/// <summary>The network namespaces that a stream listens to; under <see cref="EventOptions.FollowNamespaces"/> also those
/// that get a name later.</summary>
/// <remarks>Members are added by the consumer alone; they leave on the thread that reads.</remarks>
internal sealed class WatchedNamespaces(EventOptions options, EventBacklog backlog, Action<List<ConntrackEvent>> emit) : IDisposable
{
    /// <summary>How often to look for new names, in milliseconds.</summary>
    public const int LookInterval = 1000;

    private readonly EventReceiver _receiver = new(backlog);
    private readonly List<WatchedNamespace> _members = [];
    private readonly List<WatchedNamespace> _left = [];
    private readonly Dictionary<string, int> _attempts = [];
    private long _nextLook;

    /// <summary>What the kernel granted as receive buffer of each socket, in bytes, doubled for its own account.</summary>
    public int ReceiveBufferSize { get; private set; }

    /// <summary>Listens in a namespace from now on.</summary>
    public WatchedNamespace Add(NetworkNamespace? networkNamespace)
    {
        WatchedNamespace added = new(networkNamespace, options, backlog, _receiver, emit);
        ReceiveBufferSize = added.ReceiveBufferSize;
        lock (_members)
            _members.Add(added);
        return added;
    }

    /// <summary>True once the kernel keeps destroy events of some namespace no longer.</summary>
    public bool GaveUpReliability
    {
        get
        {
            lock (_members)
                return _members.Exists(member => member.GaveUpReliability);
        }
    }

    /// <summary>Those that are watched now.</summary>
    public WatchedNamespace[] Members()
    {
        lock (_members)
            return [.. _members];
    }

    /// <summary>Starts to receive.</summary>
    public void Start()
    {
        _receiver.Start();
        foreach (WatchedNamespace member in Members())
            member.Start();
    }

    /// <summary>Listens in namespaces that have a name since the last look.</summary>
    /// <param name="onFailure">Is told why one can't be listened to, once.</param>
    public void AddNewcomers(Action<Exception> onFailure)
    {
        if (Environment.TickCount64 < _nextLook)
            return;
        _nextLook = Environment.TickCount64 + LookInterval;
        DisposeLeft();
        foreach (string name in NetworkNamespace.Names().Except(Names()))
        {
            try
            {
                NetworkNamespace newcomer = NetworkNamespace.Parse(name);
                if (!IsWatched(NetworkNamespace.ReadIdentity(newcomer)))
                    Add(newcomer).Start();
                _attempts.Remove(name);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                // A name is there a moment before its namespace: the first failure means nothing, and later ones are the same.
                int attempts = _attempts[name] = _attempts.GetValueOrDefault(name) + 1;
                if (attempts == 2)
                    onFailure(exception);
            }
        }
    }

    /// <summary>Takes note that nothing more comes from a member.</summary>
    /// <returns>True where none is left, and none will come.</returns>
    public bool Leave(WatchedNamespace member)
    {
        lock (_members)
        {
            _members.Remove(member);
            _left.Add(member);
            return _members.Count == 0 && !options.FollowNamespaces;
        }
    }

    /// <summary>Ends the waits of all.</summary>
    public void Cancel()
    {
        _receiver.Cancel();
        lock (_members)
        {
            foreach (WatchedNamespace member in _members)
                member.Cancel();
        }
    }

    /// <summary>Waits for the thread, closes the sockets, and puts settings back.</summary>
    public void Dispose()
    {
        _receiver.Dispose();
        foreach (WatchedNamespace member in Members())
            member.Dispose();
        DisposeLeft();
    }

    private string[] Names()
    {
        lock (_members)
            return [.. _members.Select(member => member.Namespace?.Name).OfType<string>()];
    }

    /// <summary>A namespace may have two names, or be the caller's own.</summary>
    private bool IsWatched(string identity)
    {
        lock (_members)
            return _members.Exists(member => member.Identity == identity);
    }

    private void DisposeLeft()
    {
        WatchedNamespace[] left;
        lock (_members)
        {
            left = [.. _left];
            _left.Clear();
        }

        foreach (WatchedNamespace member in left)
            member.Dispose();
    }
}
