using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Errors;
using ConntrackPS.Formatting;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Commands;

/// <summary>What all cmdlets share: network namespaces, of which some read several and others change one; how errors of the
/// core become error records; how Ctrl+C ends the work.</summary>
public abstract class ConntrackCommand : PSCmdlet, IDisposable
{
    /// <summary>How many namespaces are asked for their counts at once.</summary>
    private const int AskedAhead = 64;

    /// <summary>For how long a count may be relied on, in milliseconds.</summary>
    private const int CountIsGoodFor = 500;

    private readonly CancellationTokenSource _stop = new();

    /// <summary>What is told once, though it is true of many namespaces and objects.</summary>
    private readonly HashSet<string> _told = [];

    private bool? _showsNamespace;

    /// <summary>The network namespace to work in: a name of <c>ip netns</c>, a path, or the id of a process in it. Cmdlets
    /// that only read take several, and names with wildcards: <c>*</c> is all that have a name.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public string[]? NetworkNamespace { get; set; }

    /// <summary>The name of the one namespace to work in; null for the caller's own. Several end the cmdlet.</summary>
    private protected string? NamespaceName
    {
        get
        {
            if (!NamesSeveral)
                return NetworkNamespace?[0];
            ThrowTerminatingError(ErrorFactory.SeveralNamespaces(MyInvocation.MyCommand.Name, NetworkNamespace!));
            return null;
        }
    }

    private bool NamesSeveral => NetworkNamespace is { Length: > 1 } || NetworkNamespace?.Any(WildcardPattern.ContainsWildcardCharacters) == true;

    /// <summary>Whether rows of several namespaces may come, so that tables should show which.</summary>
    private protected virtual bool ShowsNamespace => NamesSeveral;

    /// <summary>Raised by Ctrl+C, and where the pipeline wants no more.</summary>
    private protected CancellationToken Stop => _stop.Token;

    /// <inheritdoc/>
    protected override void StopProcessing()
    {
        try
        {
            _stop.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It comes on another thread, and the command is done in this moment.
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Lets go of what the command holds.</summary>
    /// <param name="disposing">Always true: there is no finalizer.</param>
    protected virtual void Dispose(bool disposing) => _stop.Dispose();

    /// <summary>Emits an object. One of several namespaces is marked, so that its table has a column for that.</summary>
    private protected new void WriteObject(object? item)
    {
        _showsNamespace ??= ShowsNamespace;
        base.WriteObject(_showsNamespace.Value ? NamespacedRow.Mark(item) : item);
    }

    /// <summary>Runs the cmdlet's work. What the core throws ends the cmdlet with one error record; what was not found is
    /// written, and ends this work alone.</summary>
    private protected void Run(Action work, object? target = null) => Attempt(work, target, endsCommand: true);

    /// <summary>Runs the work for one of several objects; what the core throws is written, and the others go on.</summary>
    private protected void RunOne(Action work, object? target) => Attempt(work, target, endsCommand: false);

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

    /// <summary>The one namespace the user named, or null for the caller's own.</summary>
    internal NetworkNamespace? Namespace() => NamespaceNamed(NamespaceName);

    /// <summary>The namespace of a name, or null for none: the caller's own.</summary>
    private protected static NetworkNamespace? NamespaceNamed(string? name) => Linux.NetworkNamespace.ParseOrOwn(name);

    /// <summary>The namespaces the user named, or null alone for the caller's own; of several, one that isn't there is an
    /// error, and the others follow.</summary>
    private protected IEnumerable<NetworkNamespace?> Namespaces()
    {
        if (!NamesSeveral)
            return [Namespace()];
        return NetworkNamespace!.SelectMany(Expand).Select(ParseOne).Where(found => found is not null);
    }

    /// <summary>Does work in each of the namespaces; of several, what fails in one is an error of its own.</summary>
    /// <param name="work">The work.</param>
    /// <param name="needsEntries">Whether there is nothing to do in a namespace that has no entries at the time.</param>
    private protected void RunInEach(Action<NetworkNamespace?> work, bool needsEntries = false)
    {
        if (NamesSeveral)
            Run(() => RunInAll(needsEntries ? Occupied() : Namespaces(), work));
        else
            Run(() => work(Namespace()));
    }

    /// <summary>Whether the user named the namespace that an object is from; naming none is naming all.</summary>
    private protected bool IsNamed(string? networkNamespace) =>
        NetworkNamespace?.Any(name => networkNamespace is not null && new WildcardPattern(name, WildcardOptions.None).IsMatch(networkNamespace)) != false;

    /// <summary>What the files below a root set at the next boot, with a warning for each that can't be read; null where those of
    /// the running system say nothing about a namespace.</summary>
    private protected PersistedSettings? ReadPersisted(string root, NetworkNamespace? networkNamespace)
    {
        SystemRoot system = new(GetUnresolvedProviderPathFromPSPath(root));
        if (system.IsRunning && !system.HoldsFor(networkNamespace))
            return null;
        PersistedSettings persisted = PersistedSettings.Read(system);
        WarnOnce(persisted.Problems);
        return persisted;
    }

    private protected void WarnOnce(IEnumerable<string> problems)
    {
        foreach (string problem in problems.Where(_told.Add))
            WriteWarning(problem);
    }

    private void Attempt(Action work, object? target, bool endsCommand)
    {
        try
        {
            work();
        }
        catch (OperationCanceledException) when (Stopping)
        {
            // Ctrl+C: leave without a word, as cmdlets do.
        }
        catch (Exception exception) when (ErrorFactory.FromPrompt(exception) is { } unanswered)
        {
            ThrowTerminatingError(unanswered);
        }
        catch (Exception exception) when (IsOfTheCore(exception))
        {
            ErrorRecord record = ErrorFactory.From(exception, target);
            if (endsCommand && !ErrorFactory.IsAboutMissing(record))
                ThrowTerminatingError(record);
            if (!IsToldAlready(exception))
                WriteError(record);
        }
    }

    /// <summary>A namespace that a parameter names and that isn't there is told of once, not for each object of the
    /// pipeline.</summary>
    private bool IsToldAlready(Exception exception) =>
        exception is NetworkNamespaceException missing
        && NetworkNamespace?.Contains(missing.NetworkNamespace) == true
        && !_told.Add(missing.Message);

    /// <summary>PowerShell's own exceptions steer its flow and are never caught.</summary>
    private static bool IsOfTheCore(Exception exception) =>
        exception is not (PipelineStoppedException or FlowControlException or TerminateException or RuntimeException);

    /// <summary>The namespaces without those that have no entries. They are asked ahead, some at once, of which a container host
    /// has hundreds; what was asked a while ago, since a consumer takes its time, is not relied on.</summary>
    private IEnumerable<NetworkNamespace?> Occupied()
    {
        foreach (NetworkNamespace?[] some in Namespaces().Chunk(AskedAhead))
        {
            uint?[] counts = TableCount.ReadAll([.. some.OfType<NetworkNamespace>()]);
            long asked = Environment.TickCount64;
            for (int i = 0; i < some.Length; i++)
            {
                if (counts[i] != 0 || Environment.TickCount64 - asked > CountIsGoodFor)
                    yield return some[i];
                else
                    WriteVerbose($"Network namespace '{some[i]}' has no entries.");
            }
        }
    }

    private void RunInAll(IEnumerable<NetworkNamespace?> namespaces, Action<NetworkNamespace?> work)
    {
        foreach (NetworkNamespace? networkNamespace in namespaces)
        {
            if (Stopping)
                return;
            RunOne(() => work(networkNamespace), networkNamespace);
        }
    }

    private static IEnumerable<string> Expand(string name)
    {
        if (!NamePattern.TryParse(name, WildcardOptions.None, out WildcardPattern pattern))
            return [name];
        return Linux.NetworkNamespace.Names().Where(pattern.IsMatch);
    }

    private NetworkNamespace? ParseOne(string name)
    {
        NetworkNamespace? found = null;
        RunOne(() => found = Linux.NetworkNamespace.Parse(name), name);
        return found;
    }
}
