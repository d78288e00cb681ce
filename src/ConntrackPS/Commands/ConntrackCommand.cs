using System.Management.Automation;
using ConntrackPS.Completion;
using ConntrackPS.Errors;
using ConntrackPS.Linux;

namespace ConntrackPS.Commands;

/// <summary>What all cmdlets share: the network namespace, and how errors of the core become error records.</summary>
public abstract class ConntrackCommand : PSCmdlet
{
    /// <summary>The network namespace to work in: a name of <c>ip netns</c>, a path, or the id of a process in it.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public string? NetworkNamespace { get; set; }

    /// <summary>The namespace the user named, or null for the caller's own.</summary>
    internal NetworkNamespace? Namespace() => NamespaceNamed(NetworkNamespace);

    /// <summary>The namespace of a name, or null for none: the caller's own.</summary>
    private protected static NetworkNamespace? NamespaceNamed(string? name) => name is null ? null : Linux.NetworkNamespace.Parse(name);

    /// <summary>Runs the cmdlet's work; what the core throws ends the cmdlet with one error record.</summary>
    private protected void Run(Action work, object? target = null)
    {
        try
        {
            work();
        }
        catch (OperationCanceledException) when (Stopping)
        {
            // Ctrl+C: leave without a word, as cmdlets do.
        }
        catch (Exception exception) when (IsOfTheCore(exception))
        {
            ThrowTerminatingError(ErrorFactory.From(exception, target));
        }
    }

    /// <summary>PowerShell's own exceptions steer its flow and are never caught.</summary>
    private static bool IsOfTheCore(Exception exception) =>
        exception is not (PipelineStoppedException or FlowControlException or TerminateException or RuntimeException);
}
