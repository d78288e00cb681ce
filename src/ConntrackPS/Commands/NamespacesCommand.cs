using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Errors;
using ConntrackPS.Linux;

namespace ConntrackPS.Commands;

/// <summary>What cmdlets share that look at several network namespaces at once.</summary>
public abstract class NamespacesCommand : CoreCommand, IDisposable
{
    private readonly CancellationTokenSource _stop = new();

    /// <summary>The network namespaces to look at: names of <c>ip netns</c>, with wildcards, paths, or ids of processes;
    /// <c>*</c> for all that have a name.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public string[]? NetworkNamespace { get; set; }

    /// <summary>Raised by Ctrl+C.</summary>
    private protected CancellationToken Stop => _stop.Token;

    /// <inheritdoc/>
    protected override void StopProcessing() => _stop.Cancel();

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

    /// <summary>The namespaces the user named, or null alone for the caller's own; one that isn't there is an error, and
    /// the others follow.</summary>
    private protected IEnumerable<NetworkNamespace?> Namespaces()
    {
        if (NetworkNamespace is null)
            return [null];
        return NetworkNamespace.SelectMany(Expand).Select(Parse).OfType<NetworkNamespace>();
    }

    private static IEnumerable<string> Expand(string name)
    {
        if (!NamePattern.TryParse(name, WildcardOptions.None, out WildcardPattern pattern))
            return [name];
        return Linux.NetworkNamespace.Names().Where(pattern.IsMatch);
    }

    private NetworkNamespace? Parse(string name)
    {
        try
        {
            return Linux.NetworkNamespace.Parse(name);
        }
        catch (Exception exception) when (exception is NetworkNamespaceException or ArgumentException)
        {
            WriteError(ErrorFactory.From(exception is NetworkNamespaceException ? exception : new NetworkNamespaceException(name, Errno.NotFound)));
            return null;
        }
    }
}
