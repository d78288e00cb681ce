using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Top.Drawing;

/// <summary>Looks names up in the background, a few at a time, and remembers what came of it.</summary>
internal sealed class BackgroundNames : INameSource, IDisposable
{
    private const int Workers = 4;

    /// <summary>More than screens hold; what finds no room is asked for again when it is drawn again.</summary>
    private const int MaximumWaiting = 512;

    /// <summary>Then all is forgotten: a scan of addresses must not fill memory.</summary>
    private const int MaximumKnown = 65536;

    private static readonly TimeSpan LookUpTimeout = TimeSpan.FromSeconds(5);

    private readonly Func<IPAddress, CancellationToken, Task<string?>> _resolve;
    private readonly ConcurrentDictionary<HostAddress, string?> _known = new();
    private readonly Channel<HostAddress> _waiting = Channel.CreateBounded<HostAddress>(MaximumWaiting);
    private readonly CancellationTokenSource _stop = new();
    private int _version;

    /// <param name="resolve">Finds the name of an address, or null; the system's resolver unless given.</param>
    public BackgroundNames(Func<IPAddress, CancellationToken, Task<string?>>? resolve = null)
    {
        _resolve = resolve ?? ResolveAsync;
        for (int i = 0; i < Workers; i++)
            _ = Task.Run(WorkAsync);
    }

    /// <summary>Grows with each name that becomes known.</summary>
    public int Version => Volatile.Read(ref _version);

    /// <inheritdoc/>
    public string? NameOf(HostAddress address)
    {
        if (_known.TryGetValue(address, out string? name))
            return name;
        if (_known.Count > MaximumKnown)
            _known.Clear();

        // Known to have no name until one is found, so that it is asked for once.
        if (_known.TryAdd(address, null) && !_waiting.Writer.TryWrite(address))
            _known.TryRemove(address, out _);
        return null;
    }

    /// <summary>Ends the look-ups without waiting for them.</summary>
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
            // Dispose cancelled the look-ups.
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
            // No name, no name server, no answer: the address is shown.
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

/// <summary>What is shown in place of numbers.</summary>
/// <param name="Hosts">Names of addresses; null to show addresses.</param>
/// <param name="Services">Names of ports; null to show ports.</param>
internal readonly record struct TopNames(INameSource? Hosts = null, ServiceNames? Services = null);

/// <summary>Names of addresses, as far as they are known by now.</summary>
internal interface INameSource
{
    /// <summary>The name of an address; null where there is none, or none yet. Never waits.</summary>
    string? NameOf(HostAddress address);
}
