namespace ConntrackPS.Commands;

/// <summary>Ctrl+C on its way into the core: raised on another thread than the one that may just be done and disposing it.
/// </summary>
internal sealed class StopSignal : IDisposable
{
    private readonly CancellationTokenSource _source = new();

    /// <summary>For the core to watch.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>Stops what is going on; does nothing when all is done.</summary>
    public void Raise()
    {
        try
        {
            _source.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // Done in this moment.
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _source.Dispose();
}
