using System.Management.Automation;
using ConntrackPS.Errors;

namespace ConntrackPS.Commands;

/// <summary>How errors of the core become error records.</summary>
public abstract class CoreCommand : PSCmdlet
{
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

    /// <summary>Runs the work for one of several objects; what the core throws is written, and the others go on.</summary>
    private protected void RunOne(Action work, object? target)
    {
        try
        {
            work();
        }
        catch (OperationCanceledException) when (Stopping)
        {
            // As above.
        }
        catch (Exception exception) when (IsOfTheCore(exception))
        {
            WriteError(ErrorFactory.From(exception, target));
        }
    }

    /// <summary>PowerShell's own exceptions steer its flow and are never caught.</summary>
    private static bool IsOfTheCore(Exception exception) =>
        exception is not (PipelineStoppedException or FlowControlException or TerminateException or RuntimeException);
}
