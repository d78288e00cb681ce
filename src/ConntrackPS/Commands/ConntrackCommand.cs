using System.Globalization;
using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Errors;
using ConntrackPS.Formatting;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Pipeline;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Commands;

/// <summary>The base class of all cmdlets. It checks that the kernel is Linux, opens network namespaces (several for reading, one for
/// changes), converts errors of the core to error records, and lets Ctrl+C end the work.</summary>
public abstract class ConntrackCommand : PSCmdlet, IDisposable
{
    /// <summary>The number of namespaces whose counts are read at the same time.</summary>
    private const int CountsAtOnce = 64;

    /// <summary>The age up to which a count is used, in milliseconds.</summary>
    private const int MaximumCountAge = 500;

    private readonly CancellationTokenSource _stop = new();

    private readonly RepeatedErrors _repeated = new();

    /// <summary>Messages that were already written. Each is written once, even if it applies to many namespaces or objects.</summary>
    private readonly HashSet<string> _told = [];

    private bool? _showsNamespace;

    /// <summary>The namespaces of the pipeline's objects so far; null for the caller's own network namespace.</summary>
    private (bool IsKnown, string? NetworkNamespace) _origin;

    /// <summary>The network namespaces to work in: names of <c>ip netns</c>, with wildcards (<c>*</c> is all that have a name), paths,
    /// or ids of processes in them.</summary>
    /// <remarks>A cmdlet that works in one namespace hides this with a parameter that takes one string.</remarks>
    [Parameter]
    [Alias("Namespace")]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public virtual string[]? NetworkNamespace { get; set; }

    /// <summary>The value of -NetworkNamespace on cmdlets that take one.</summary>
    private protected string? OneNamespaceName
    {
        get => NetworkNamespace?[0];
        set => NetworkNamespace = value is null ? null : [value];
    }

    /// <summary>The name of the one namespace to work in; null for the caller's own. If the user named several, the cmdlet ends with an error.</summary>
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

    private protected bool NamesSeveral => NetworkNamespace is { Length: > 1 } || NetworkNamespace?.Any(WildcardPattern.ContainsWildcardCharacters) == true;

    /// <summary>True if the output can come from several namespaces. Tables then show the namespace.</summary>
    private protected virtual bool ShowsNamespace => NamesSeveral;

    /// <summary>True if the cmdlet, as it was called, can do nothing without the kernel.</summary>
    private protected virtual bool NeedsKernel => true;

    /// <summary>Canceled by Ctrl+C, and when a later command of the pipeline stops it.</summary>
    private protected CancellationToken Stop => _stop.Token;

    /// <summary>On a system without this kernel, writes an error before anything is done.</summary>
    protected sealed override void BeginProcessing()
    {
        if (NeedsKernel)
            Run(Platform.RequireLinux);
        Begin();
    }

    /// <summary>The work before the first object.</summary>
    private protected virtual void Begin()
    {
    }

    /// <inheritdoc/>
    protected override void StopProcessing()
    {
        try
        {
            _stop.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // This runs on another thread. The command may have ended already.
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases what the command holds.</summary>
    /// <param name="disposing">Always true: there is no finalizer.</param>
    protected virtual void Dispose(bool disposing) => _stop.Dispose();

    /// <summary>Emits an object. If objects can come from several namespaces, it is marked, so that its table shows the namespace.</summary>
    private protected new void WriteObject(object? item)
    {
        _showsNamespace ??= ShowsNamespace;
        base.WriteObject(_showsNamespace.Value ? NamespacedRow.Mark(item) : item);
    }

    /// <summary>Runs the cmdlet's work. An exception of the core ends the cmdlet with one error record. An error that something
    /// was not found is written and ends only this work.</summary>
    private protected void Run(Action work, object? target = null) => Attempt(work, target, endsCommand: true);

    /// <summary>Runs the work for one of several objects. An exception of the core becomes an error record, and the cmdlet continues with
    /// the next object.</summary>
    private protected void RunOne(Action work, object? target) => Attempt(work, target, endsCommand: false);

    /// <summary>Ends a cmdlet that takes no objects if the pipeline has some. Otherwise it would ignore them.</summary>
    /// <param name="instead">The command line to write.</param>
    private protected void RefuseInput(string instead)
    {
        if (MyInvocation.ExpectingInput)
            ThrowTerminatingError(ErrorFactory.NoPipelineInput(MyInvocation.MyCommand.Name, instead));
    }

    /// <summary>The error that names all missing parameters; null if none is missing. The needed parameters may depend on others, so
    /// PowerShell can't ask for them.</summary>
    private protected ErrorRecord? MissingOf(IEnumerable<string> needed)
    {
        string[] missing = [.. needed.Where(name => !MyInvocation.BoundParameters.ContainsKey(name))];
        return missing.Length == 0 ? null : ErrorFactory.MissingParameters(MyInvocation.MyCommand.Name, missing);
    }

    /// <summary>Records the namespace of an object of the pipeline. Rows of several network namespaces show theirs. The first row decides
    /// on the columns of a table, so objects from a file always show theirs: the namespaces of the later ones are not known yet.</summary>
    /// <param name="networkNamespace">The namespace of the object; null for the caller's own network namespace.</param>
    /// <param name="mayBeOneOfSeveral">True if later objects may have other namespaces.</param>
    private protected void NoteOrigin(string? networkNamespace, Func<bool> mayBeOneOfSeveral)
    {
        if (NetworkNamespace is not null || _showsNamespace == true)
            return;
        bool isOther = _origin.IsKnown && _origin.NetworkNamespace != networkNamespace;
        if (isOther || (!_origin.IsKnown && mayBeOneOfSeveral()))
            _showsNamespace = true;
        _origin = (true, networkNamespace);
    }

    /// <summary>True if the rows of objects have the network namespaces of these objects.</summary>
    private protected virtual bool FollowsOrigins => true;

    private void NoteOrigin(PSObject input)
    {
        if (!FollowsOrigins)
            return;
        string? origin = InputEntry.NamespaceOf(input);
        NoteOrigin(origin, () => NamespacedRow.IsMarked(input) || (origin is not null && NamespacedRow.HasLostItsType(input)));
    }

    /// <summary>Runs work for an object of the pipeline or of -InputObject. For an array or a group, runs it for each element.</summary>
    private protected void ForEachInput(PSObject input, Action<PSObject> work)
    {
        if (InputObjects.IsOne(input))
        {
            if (Stopping)
                return;
            NoteOrigin(input);
            work(input);
            return;
        }

        IReadOnlyList<PSObject> objects;
        try
        {
            objects = InputObjects.Of(input);
        }
        catch (FormatException exception)
        {
            Flush();
            WriteInputError(ErrorFactory.EmptyGroup(input, exception), exception.Message);
            return;
        }

        for (int i = 0; i < objects.Count && !Stopping; i++)
        {
            NoteOrigin(objects[i]);
            work(objects[i]);
        }
    }

    /// <summary>Writes the error of an object of the pipeline. If many objects are wrong in the same way, only the first error is written
    /// here. <see cref="TellRepeated"/> reports the number of the others.</summary>
    /// <param name="record">The error.</param>
    /// <param name="reason">The problem, without the parts that differ between objects.</param>
    /// <param name="number">The object's number in the pipeline; 0 if the message does not contain it.</param>
    private protected void WriteInputError(ErrorRecord record, string reason, long number = 0)
    {
        if (_repeated.Add(record, reason, number))
            WriteError(record);
    }

    /// <summary>Writes, at the end, how many more objects were wrong in the same way as an earlier one.</summary>
    private protected void TellRepeated()
    {
        foreach (ErrorRecord record in _repeated.Take())
            WriteError(record);
    }

    /// <summary>Sends the batches that are not full yet, and reports their results.</summary>
    private protected virtual void Flush()
    {
    }

    /// <summary>Writes an error for a kernel parameter that can't be read. The cmdlet continues with the others.</summary>
    private protected void TellUnreadable(UnreadableSettingException exception) =>
        WriteError(ErrorFactory.From(exception, Path.GetFileName(exception.Path)));

    /// <summary>Runs work on a listing, and warns if the listing was incomplete. The entries that were found are processed in any
    /// case.</summary>
    /// <param name="work">The work. It throws the exception of the listing at its end.</param>
    /// <param name="outcome">Describes, after the work, what was done and what may be missing; null if the exception says that.</param>
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

    /// <summary>Warns that a listing was incomplete: what was done, and what the user can do.</summary>
    private protected void WarnIncomplete(IncompleteListingException exception, string? outcome = null) =>
        WriteWarning($"{outcome} {exception.Message} {ErrorFactory.WaitForResizes}".TrimStart());

    /// <summary>The one namespace the user named, or null for the caller's own.</summary>
    private protected NetworkNamespace? OneNamespace() => NamespaceNamed(NamespaceName);

    /// <summary>The namespace of a name, or null for none: the caller's own.</summary>
    private protected static NetworkNamespace? NamespaceNamed(string? name) => Linux.NetworkNamespace.ParseOrOwn(name);

    /// <summary>The namespace as a part of a sentence; empty for the caller's own.</summary>
    private protected static string Within(NetworkNamespace? networkNamespace) => networkNamespace is null ? "" : $" in network namespace '{networkNamespace}'";

    /// <summary>The namespaces that the user named, or one null for the caller's own. If one of several does not exist, that is an error,
    /// and the others follow.</summary>
    private protected IEnumerable<NetworkNamespace?> Namespaces()
    {
        if (!NamesSeveral)
            return [OneNamespace()];
        return NetworkNamespace!.SelectMany(Expand).Select(ParseOne).Where(found => found is not null);
    }

    /// <summary>Runs work in each of the namespaces. If there are several, a failure in one does not stop the others.</summary>
    /// <param name="work">The work.</param>
    /// <param name="needsEntries">True to skip namespaces that have no entries.</param>
    private protected void RunInEach(Action<NetworkNamespace?> work, bool needsEntries = false)
    {
        if (NamesSeveral)
            Run(() => RunInAll(needsEntries ? NamespacesWithEntries() : Namespaces(), work));
        else
            Run(() => work(OneNamespace()));
    }

    /// <summary>Reports with -Verbose how a table was read.</summary>
    /// <param name="note">The note of the table; null if there was nothing to decide.</param>
    private protected void ReportEngine(string? note)
    {
        if (note is not null)
            WriteVerbose(note);
    }

    /// <summary>True if the user named the namespace of an object, or named no namespace at all.</summary>
    private protected bool IsNamed(string? networkNamespace) =>
        NetworkNamespace?.Any(name => networkNamespace is not null && new WildcardPattern(name, WildcardOptions.None).IsMatch(networkNamespace)) != false;

    /// <summary>The values that the files below a root set at the next boot, with a warning for each file that can't be read; null if
    /// the files of the running system do not apply to the namespace.</summary>
    private protected PersistedSettings? ReadPersisted(string root, NetworkNamespace? networkNamespace)
    {
        SystemRoot system = new(GetUnresolvedProviderPathFromPSPath(root));
        if (system.IsRunning && !system.HoldsFor(networkNamespace))
            return null;
        return ReadPersisted(system);
    }

    /// <summary>The values that the files below a root set at the next boot, with a warning for each file that can't be read.</summary>
    private protected PersistedSettings ReadPersisted(SystemRoot root)
    {
        PersistedSettings persisted = PersistedSettings.Read(root);
        WarnOnce(persisted.Problems);
        return persisted;
    }

    private protected void WarnOnce(IEnumerable<string> problems)
    {
        foreach (string problem in problems.Where(_told.Add))
            WriteWarning(problem);
    }

    /// <summary>Writes the files, names them, and warns if a later file sets a value again.</summary>
    /// <param name="root">The system whose files they are.</param>
    /// <param name="isSet">True if the current values have been set.</param>
    /// <param name="changes">The parameters and their values; null removes our line.</param>
    /// <returns>False if nothing could be written. The error has been written then.</returns>
    private protected bool WriteFiles(SystemRoot root, bool isSet, params (string Name, Int128? Value)[] changes)
    {
        IReadOnlyList<string> files;
        SettingPersister persister = new(root, "Set-ConntrackTimeout, Set-ConntrackSetting -Persist");
        try
        {
            files = persister.Persist(changes);
        }
        catch (PersistenceException exception)
        {
            WriteError(ErrorFactory.NotPersisted(exception, isSet));
            return false;
        }

        string what = string.Join(", ", changes.Select(change => change.Value is { } value
            ? string.Create(CultureInfo.InvariantCulture, $"{change.Name} = {value}")
            : $"no line for {change.Name}"));
        Tell(files.Count == 0 ? $"{root.SysctlFile} needs no change: {what}." : $"Persisted in {string.Join(", ", files)}: {what}.");
        WarnOnce(persister.Problems);
        PersistedSettings persisted = ReadPersisted(root);
        foreach ((string name, Int128? value) in changes)
        {
            string key = SysctlKey.Of(name);
            if (value is not null && persisted.After(key, root.SysctlFile) is { Count: > 0 } later)
            {
                WriteWarning($"{key} is set again after {root.SysctlFile}: by {string.Join("; ", later)}. "
                    + "The last line applies. Remove these lines.");
            }
            else if (value is null && persisted.Find(name) is { } other)
            {
                WriteWarning($"{key} is still set at boot: by {other}. Remove that line to get the kernel's default.");
            }
        }

        return true;
    }

    /// <summary>Shows a message without -Verbose. It is not part of the output.</summary>
    private void Tell(string text) => WriteInformation(new HostInformationMessage { Message = text }, ["PSHOST"]);

    private void Attempt(Action work, object? target, bool endsCommand)
    {
        try
        {
            work();
        }
        catch (OperationCanceledException) when (Stopping)
        {
            // After Ctrl+C a cmdlet ends without an error.
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

    /// <summary>True if the error was already written: a namespace of a parameter that does not exist is reported once, not for each object
    /// of the pipeline.</summary>
    private bool IsToldAlready(Exception exception) =>
        exception is NetworkNamespaceException missing
        && NetworkNamespace?.Contains(missing.NetworkNamespace) == true
        && !_told.Add(missing.Message);

    /// <summary>PowerShell's own exceptions control its flow, so they are never caught.</summary>
    private static bool IsOfTheCore(Exception exception) =>
        exception is not (PipelineStoppedException or FlowControlException or TerminateException or RuntimeException);

    /// <summary>The namespaces that have entries. Counts are read for several namespaces at once, because a container host has
    /// hundreds. A count that is too old, because the consumer was slow, is not used.</summary>
    private protected IEnumerable<NetworkNamespace?> NamespacesWithEntries()
    {
        foreach (NetworkNamespace?[] some in Namespaces().Chunk(CountsAtOnce))
        {
            uint?[] counts = TableCount.ReadAll([.. some.OfType<NetworkNamespace>()]);
            long read = Environment.TickCount64;
            for (int i = 0; i < some.Length; i++)
            {
                if (counts[i] != 0 || Environment.TickCount64 - read > MaximumCountAge)
                    yield return some[i];
                else
                    WriteVerbose($"Network namespace '{some[i]}' has no entries.");
            }
        }
    }

    private protected void RunInAll(IEnumerable<NetworkNamespace?> namespaces, Action<NetworkNamespace?> work)
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

/// <summary>Finds out whether the user wants to see or confirm each change.</summary>
internal static class Decisions
{
    /// <summary>True with -WhatIf or -Confirm, or if the preference variables ask for it for changes of medium impact.</summary>
    /// <remarks>Otherwise ShouldProcess always returns true, and calling it for each of a million entries takes too long.</remarks>
    public static bool AsksForEach(this PSCmdlet command) =>
        IsWhatIf(command) || Confirms(command);

    /// <summary>True with -WhatIf, or if the preference variable is set.</summary>
    public static bool IsWhatIf(this PSCmdlet command) => Preference(command, "WhatIf", "WhatIfPreference");

    private static bool Preference(PSCmdlet command, string parameter, string variable) =>
        command.MyInvocation.BoundParameters.TryGetValue(parameter, out object? given)
            ? LanguagePrimitives.IsTrue(given)
            : LanguagePrimitives.IsTrue(command.GetVariableValue(variable));

    private static bool Confirms(PSCmdlet command)
    {
        if (command.MyInvocation.BoundParameters.TryGetValue("Confirm", out object? given))
            return LanguagePrimitives.IsTrue(given);
        return LanguagePrimitives.TryConvertTo(command.GetVariableValue("ConfirmPreference"), out ConfirmImpact preference)
            && preference is not ConfirmImpact.None and <= ConfirmImpact.Medium;
    }
}

/// <summary>Shows the progress of work that takes longer than a second: the number of entries, and entries per second.</summary>
/// <remarks>The host shows no progress if its output is redirected. -ProgressAction can turn it off too.</remarks>
internal sealed class WorkProgress(Cmdlet cmdlet, string activity)
{
    private const int Delay = 1000;
    private const int Period = 200;

    // Any number works, but it must be the same in all records of the activity.
    private const int ActivityId = 2604;

    private readonly long _started = Environment.TickCount64;
    private long _due = Environment.TickCount64 + Delay;
    private long _count;
    private bool _isShown;

    /// <summary>Counts entries that are done.</summary>
    public void Advance(long count = 1)
    {
        _count += count;
        long now = Environment.TickCount64;
        if (now < _due)
            return;
        (_due, _isShown) = (now + Period, true);
        double rate = _count * 1000.0 / (now - _started);
        cmdlet.WriteProgress(new ProgressRecord(
            ActivityId, activity, string.Create(CultureInfo.InvariantCulture, $"{_count:N0} entries, {rate:N0} a second")));
    }

    /// <summary>Removes the display.</summary>
    public void Complete()
    {
        if (_isShown)
            cmdlet.WriteProgress(new ProgressRecord(ActivityId, activity, "Done") { RecordType = ProgressRecordType.Completed });
        _isShown = false;
    }
}
