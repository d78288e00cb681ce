using System.Management.Automation;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

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

    /// <summary>One parameter of the kernel's that can't be read is one error; the others follow.</summary>
    private protected void TellUnreadable(UnreadableSettingException exception) =>
        WriteError(ErrorFactory.From(exception, Path.GetFileName(exception.Path)));

    /// <summary>Does work on what a listing finds. Where the listing was not whole a warning says so; what was found has
    /// been dealt with all the same.</summary>
    /// <param name="work">The work, which ends with what the listing threw.</param>
    /// <param name="outcome">Tells, after the work, what came of it and what not; null where the exception does.</param>
    private protected void WarnIfIncomplete(Action work, Func<string>? outcome = null)
    {
        try
        {
            work();
        }
        catch (IncompleteListingException exception)
        {
            WarnIncomplete(exception, outcome?.Invoke());
        }
    }

    /// <summary>Says that a listing was not whole, what came of it, and what to do.</summary>
    private protected void WarnIncomplete(IncompleteListingException exception, string? outcome = null) =>
        WriteWarning($"{outcome} {exception.Message} {ErrorFactory.WaitForResizes}".TrimStart());

    /// <summary>PowerShell's own exceptions steer its flow and are never caught.</summary>
    private static bool IsOfTheCore(Exception exception) =>
        exception is not (PipelineStoppedException or FlowControlException or TerminateException or RuntimeException);
}
