using ConntrackPS.Linux;

namespace ConntrackPS.Events;

/// <summary>One network namespace that is listened to: its reader, the thread it runs on, and the setting to put back.</summary>
internal sealed class WatchedNamespace : IDisposable
{
    private readonly EventReader _reader;
    private readonly IDisposable? _enabled;
    private readonly Thread _thread;

    /// <summary>Listens from now on; nothing is read before <see cref="Start"/>.</summary>
    /// <param name="networkNamespace">Where; null for the caller's own.</param>
    /// <param name="options">What to watch, and how.</param>
    /// <param name="read">The thread's work.</param>
    public WatchedNamespace(NetworkNamespace? networkNamespace, EventOptions options, Action<WatchedNamespace> read)
    {
        Namespace = networkNamespace;
        _thread = new Thread(() => read(this)) { IsBackground = true, Name = "ConntrackPS events" };
        _reader = new EventReader(networkNamespace, options);
        try
        {
            _enabled = options.EnableEvents ? EventSwitch.Enable(networkNamespace) : null;
        }
        catch
        {
            _reader.Dispose();
            throw;
        }
    }

    /// <summary>Which one; null for the caller's own.</summary>
    public NetworkNamespace? Namespace { get; }

    /// <summary>The kernel's own name of it.</summary>
    public string Identity => _reader.Identity;

    /// <summary>What the kernel granted as receive buffer, in bytes, doubled for its own account.</summary>
    public int ReceiveBufferSize => _reader.ReceiveBufferSize;

    public void Start() => _thread.Start();

    /// <summary>Reads until it is cancelled, on the thread.</summary>
    public void Run(Action<List<ConntrackEvent>> emit) => _reader.Run(emit);

    /// <summary>Gives up keeping destroy events, which fill the table while nobody takes them.</summary>
    public void GiveUpReliability() => _reader.GiveUpReliability();

    public void Cancel() => _reader.Cancel();

    public void Dispose()
    {
        _reader.Cancel();
        if (_thread.IsAlive)
            _thread.Join();
        _reader.Dispose();
        _enabled?.Dispose();
    }
}
