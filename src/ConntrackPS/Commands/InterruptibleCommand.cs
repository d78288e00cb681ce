namespace ConntrackPS.Commands;

/// <summary>What cmdlets share that wait, and end the wait on Ctrl+C.</summary>
public abstract class InterruptibleCommand : ConntrackCommand, IDisposable
{
    private readonly StopSignal _stop = new();

    /// <summary>Raised by Ctrl+C.</summary>
    private protected CancellationToken Stop => _stop.Token;

    /// <inheritdoc/>
    protected override void StopProcessing() => _stop.Raise();

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Lets go of what <see cref="StopProcessing"/> signals by.</summary>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
            _stop.Dispose();
    }
}
