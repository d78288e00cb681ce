using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Top.Drawing;

/// <summary>Looks up host names in the background, a few at a time, and caches the results.</summary>
internal sealed class BackgroundNames : INameSource, IDisposable
{
    private const int Workers = 4;

    /// <summary>More than a screen can show. An address that does not fit is requested again when it is drawn again.</summary>
    private const int MaximumWaiting = 512;

    /// <summary>Then the cache is cleared, so that a scan of addresses can't fill the memory.</summary>
    private const int MaximumKnown = 65536;

    private static readonly TimeSpan LookUpTimeout = TimeSpan.FromSeconds(5);

    private readonly Func<IPAddress, CancellationToken, Task<string?>> _resolve;
    private readonly ConcurrentDictionary<HostAddress, string?> _known = new();
    private readonly Channel<HostAddress> _waiting = Channel.CreateBounded<HostAddress>(MaximumWaiting);
    private readonly CancellationTokenSource _stop = new();
    private int _version;

    /// <param name="resolve">Finds the name of an address, or null. The default is the system's resolver.</param>
    public BackgroundNames(Func<IPAddress, CancellationToken, Task<string?>>? resolve = null)
    {
        _resolve = resolve ?? ResolveAsync;
        for (int i = 0; i < Workers; i++)
            _ = Task.Run(WorkAsync);
    }

    /// <summary>Increases with each name found.</summary>
    public int Version => Volatile.Read(ref _version);

    /// <inheritdoc/>
    public string? NameOf(HostAddress address)
    {
        if (_known.TryGetValue(address, out string? name))
            return name;
        if (_known.Count > MaximumKnown)
            _known.Clear();

        // Stored without a name until one is found, so that it is requested only once.
        if (_known.TryAdd(address, null) && !_waiting.Writer.TryWrite(address))
            _known.TryRemove(address, out _);
        return null;
    }

    /// <summary>Cancels the lookups without waiting for them.</summary>
    public void Dispose()
    {
        _waiting.Writer.TryComplete();
        _stop.Cancel();
    }

    private async Task WorkAsync()
    {
        try
        {
            await foreach (HostAddress address in _waiting.Reader.ReadAllAsync(_stop.Token).ConfigureAwait(false))
                await LookUpAsync(address).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Dispose cancelled the lookups.
        }
    }

    private async Task LookUpAsync(HostAddress address)
    {
        string? name;
        try
        {
            name = await _resolve(IPAddress.Parse(address.ToString()), _stop.Token).WaitAsync(LookUpTimeout, _stop.Token).ConfigureAwait(false);
        }
        catch (Exception) when (!_stop.IsCancellationRequested)
        {
            // There is no name, no name server or no answer: the address is shown.
            return;
        }

        if (name is null)
            return;
        _known[address] = name;
        Interlocked.Increment(ref _version);
    }

    private static async Task<string?> ResolveAsync(IPAddress address, CancellationToken stop)
    {
        try
        {
            string name = (await Dns.GetHostEntryAsync(address.ToString(), stop).ConfigureAwait(false)).HostName;
            return IPAddress.TryParse(name, out _) ? null : name;
        }
        catch (SocketException)
        {
            return null;
        }
    }
}

/// <summary>Names to show in place of numbers.</summary>
/// <param name="Hosts">Host names, or null to show addresses.</param>
/// <param name="Services">Service names, or null to show ports.</param>
internal readonly record struct TopNames(INameSource? Hosts = null, ServiceNames? Services = null);

/// <summary>Host names that are known so far.</summary>
internal interface INameSource
{
    /// <summary>The name of an address. Null if there is none, or none yet. Never blocks.</summary>
    string? NameOf(HostAddress address);
}
