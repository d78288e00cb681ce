using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Pipeline;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Commands;

/// <summary>Creates entries in the connection-tracking table, from parameters or from objects in the pipeline.</summary>
[Cmdlet(VerbsCommon.New, "ConntrackEntry", SupportsShouldProcess = true, DefaultParameterSetName = TupleSet)]
[OutputType(typeof(ConntrackEntry))]
public sealed partial class NewConntrackEntryCommand : ConntrackCommand
{
    private const string TupleSet = "Tuple";
    private const string InputSet = "InputObject";

    private PerNamespace<EntryCreator>? _creators;
    private PerNamespace<EntryUpdater>? _updaters;
    private PerNamespace<EntryFinder>? _finders;
    private PerNamespace<EntryDeleter>? _deleters;
    private EntryKey? _master;
    private WorkProgress _progress = null!;
    private EntryTemplate _template = new();
    private readonly Dictionary<string, IReadOnlyList<ConntrackTimeout>> _timeouts = [];
    private bool _asksForEach;
    private bool? _tracksDccp;
    private long _number;
    private long _existed;
    private long _withdrawn;
    private long _withoutTags;
    private long _withoutShift;

    private protected override void Begin()
    {
        _asksForEach = this.AsksForEach();
        _progress = new WorkProgress(this, "Creating conntrack entries");
        _creators = new(table => table.CreateCreator(keepCreated: true));
        _updaters = new(table => table.CreateUpdater(keepChanged: true));
        _finders = new(table => table.CreateFinder());
        _deleters = new(table => table.CreateDeleter());
        try
        {
            _master = Master is null ? null : InputEntry.KeyOf(Master, needsOriginal: true);
            _template = BuildTemplate();
        }
        catch (FormatException exception)
        {
            ThrowTerminatingError(ErrorFactory.NotAMaster(Master!, exception));
        }
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == InputSet)
            ForEachInput(InputObject, input => Run(() => Make(input)));
        else
            Run(() => Make(null));
    }

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() =>
    {
        Flush();
        TellRepeated();
        _progress.Complete();
        long failed = _creators!.All.Sum(creator => creator.Failed) - _existed + _updaters!.All.Sum(updater => updater.Failed) + _withdrawn;
        WarnAboutGaps();
        WriteVerbose($"{Counted.Entries(_creators.All.Sum(creator => creator.Created) - _withdrawn)} created, {_existed} already existed, {failed} failed.");
    });

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _creators?.Dispose();
        _updaters?.Dispose();
        _finders?.Dispose();
        _deleters?.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>Builds an entry from an object of the pipeline, or from the parameters.</summary>
    private void Make(PSObject? input)
    {
        long number = input is null ? 0 : ++_number;
        try
        {
            if (input is null && MissingOf(Needed()) is { } missing)
                ThrowTerminatingError(missing);
            ConntrackEntry entry = input is null ? _template.Create(BuildTuples()) : _template.Copy(EntryFromProperties.ReadToCreate(input));
            entry.ThrowIfIncomplete();
            string? networkNamespace = NamespaceName ?? (input is null ? null : entry.Namespace);
            NumberedEntry numbered = new(number, entry, HasDefaultTimeout: entry.TimeoutSeconds is null);
            if (numbered.HasDefaultTimeout)
                entry.SetTimeout(DefaultTimeout(entry, networkNamespace));
            if (!_asksForEach || ShouldProcess(entry.ToString(), DescribeChange(numbered)))
                Create(numbered, networkNamespace);
        }
        catch (FormatException exception)
        {
            ErrorRecord error = ErrorFactory.InvalidEntry(exception, input, number);
            if (input is null)
                ThrowTerminatingError(error);

            // The error can end the pipeline. Objects before it must be processed first.
            Flush();
            WriteInputError(error, ErrorFactory.Describe(exception), number);
        }
    }

    private protected override void Flush()
    {
        foreach (EntryCreator creator in _creators!.All)
        {
            creator.Flush();
            Report(creator.TakeResults(), areNew: true);
        }

        foreach (EntryUpdater updater in _updaters!.All)
        {
            updater.Flush();
            Report(updater.TakeResults(), areNew: false);
        }
    }

    private string DescribeChange(NumberedEntry numbered)
    {
        ConntrackEntry entry = numbered.Entry;
        EntryChange values = EntryChange.MakeLike(entry) with { Mark = entry.Mark is > 0 and { } mark ? new MaskedMark(mark) : null, Helper = entry.Helper };
        return $"Create conntrack entry{(Force ? ", or change the one that exists," : "")} with {values}";
    }

    /// <summary>The current timeout of the network namespace for the entry's protocol and state.</summary>
    /// <exception cref="FormatException">The namespace has no timeout for the entry's protocol and state.</exception>
    private uint DefaultTimeout(ConntrackEntry entry, string? networkNamespace)
    {
        if (!_timeouts.TryGetValue(networkNamespace ?? "", out IReadOnlyList<ConntrackTimeout>? present))
        {
            // A timeout that can't be read is an error only for the entries that need it.
            present = new TimeoutDefaults(NamespaceNamed(networkNamespace)).Read(_ => { });
            _timeouts.Add(networkNamespace ?? "", present);
        }

        TimeoutDefinition? wanted = TimeoutCatalog.Of(entry);
        return present.FirstOrDefault(timeout => timeout.Definition == wanted) is { } found
            ? Math.Min(found.TimeoutSeconds, TimeoutRange.Maximum)
            : throw new FormatException($"The entry needs a timeout: the network namespace has no default for {entry.Protocol}{(entry.State is { } state ? $" in state {state}" : "")}.");
    }

    private void Create(NumberedEntry numbered, string? networkNamespace)
    {
        (long number, ConntrackEntry entry, _) = numbered;
        entry.Namespace = networkNamespace;
        if (entry.Protocol == IPProtocol.Dccp && entry.Original.HasPorts && !TracksDccp(networkNamespace))
        {
            WriteError(ErrorFactory.InvalidEntry(new FormatException("This kernel does not track DCCP. It would create an entry without ports."), entry, number));
            return;
        }

        if (_master is { } master && !IsThere(master, entry))
        {
            WriteError(ErrorFactory.NotCreated(new NetlinkException("create a connection-tracking entry", Errno.NotFound), entry, number));
            return;
        }

        EntryCreator creator = _creators!.In(networkNamespace);
        creator.Add(entry, numbered);
        Report(creator.TakeResults(), areNew: true);
        _progress.Advance();
    }

    /// <summary>Linux 6.18 no longer tracks DCCP. It accepts such entries, and ignores their ports and state without an error.</summary>
    /// <remarks>Checked once, because all entries have the same kernel. If the namespace shows no timeouts at all, the answer is unknown.</remarks>
    private bool TracksDccp(string? networkNamespace)
    {
        if (_tracksDccp is { } known)
            return known;
        IReadOnlyList<string> timeouts = Sysctl.Names("nf_conntrack_", NamespaceNamed(networkNamespace));
        if (timeouts.Contains("nf_conntrack_dccp_timeout_request"))
            _tracksDccp = true;
        else if (timeouts.Contains("nf_conntrack_tcp_timeout_syn_sent"))
            _tracksDccp = false;
        return _tracksDccp ?? true;
    }

    private void Report(IReadOnlyList<EntryResult> results, bool areNew)
    {
        foreach (EntryResult result in results)
        {
            NumberedEntry numbered = (NumberedEntry)result.Entry;
            if (result.Failure is null)
                Finish(numbered, areNew);
            else if (Force && result.Failure.Errno == Errno.Exists)
                MakeLike(numbered, result.Failure);
            else
                WriteError(ErrorFactory.NotCreated(result.Failure, numbered.Entry, numbered.Number));
        }
    }

    /// <summary>True if the master exists with its id, in the zone of the entry. The kernel finds a master only by its tuple, and would
    /// accept a newer connection with the same tuple.</summary>
    private bool IsThere(in EntryKey master, ConntrackEntry entry) =>
        master.AnyZone == EntryKey.Of(entry).AnyZone && _finders!.In(entry.Namespace).Find(master) is not null;

    /// <summary>Changes the existing entry to match, if it is the same flow. The kernel returns the same error if another flow has one of
    /// the tuples.</summary>
    private void MakeLike(NumberedEntry numbered, NetlinkException refusal)
    {
        (long number, ConntrackEntry entry, bool hasDefaultTimeout) = numbered;
        if (_finders!.In(entry.Namespace).Find(EntryKey.Of(entry) with { Id = null }) is not { } present)
        {
            WriteError(ErrorFactory.NotAlike(refusal, entry, number));
            return;
        }

        _existed++;
        if (entry.Helper is { } helper && present.Helper != helper)
            WriteWarning($"The existing entry keeps its helper ({present.Helper ?? "none"}), because only new entries can get one: {present}");
        _updaters!.In(entry.Namespace).Add(EntryKey.Of(present), hasDefaultTimeout ? EntryChange.MakeLike(entry) with { TimeoutSeconds = null } : EntryChange.MakeLike(entry), numbered);
    }

    /// <summary>Sets the labels again. When the kernel creates an entry, it ignores labels that no rule uses, without an error. When they
    /// are set again, it returns one.</summary>
    private void Finish(NumberedEntry numbered, bool isNew)
    {
        if (isNew && HasOtherMaster(numbered))
            return;
        if (isNew)
            CountGaps(numbered.Entry);
        if (isNew && numbered.Entry.Labels is not null)
            _updaters!.In(numbered.Entry.Namespace).Add(KeyOf(numbered.Entry), EntryChange.LabelLike(numbered.Entry), numbered);
        else
            Emit(numbered.Entry);
    }

    private void CountGaps(ConntrackEntry entry)
    {
        _withoutTags += entry.LacksVerificationTags ? 1 : 0;
        _withoutShift += entry.LacksSequenceShift ? 1 : 0;
    }

    /// <summary>Warns about values that text does not contain and that can't be derived.</summary>
    private void WarnAboutGaps()
    {
        if (_withoutTags > 0)
        {
            WriteWarning(
                $"{Counted.Of(_withoutTags, "SCTP entry", "SCTP entries")} created without verification tags. The data of such an association is "
                + "invalid until the kernel sees a HEARTBEAT in each direction. Export-Clixml, Export-Csv and 'conntrack -o save' save the tags.");
        }

        if (_withoutShift > 0)
        {
            WriteWarning(
                $"{Counted.Entries(_withoutShift)} created without the offset of sequence numbers that a helper had set. Such a connection stalls. "
                + "Export-Clixml and Export-Csv save the offset; no text format does.");
        }
    }

    /// <summary>Deletes the new entry, and writes an error, if the kernel chose another master. It takes the first entry that has the tuple
    /// in either direction, and does not report which one.</summary>
    private bool HasOtherMaster(NumberedEntry numbered)
    {
        (long number, ConntrackEntry entry, bool hasDefaultTimeout) = numbered;
        if (entry.Details?.Master is not { } master || _finders!.In(entry.Namespace).Find(KeyOf(entry)) is not { } created
            || created.Details?.Master == master)
        {
            return false;
        }

        EntryDeleter deleter = _deleters!.In(entry.Namespace);
        deleter.Add(EntryKey.Of(created), created);
        deleter.Flush();
        _withdrawn++;
        WriteError(ErrorFactory.OtherMaster(entry, master, number));
        return true;
    }

    private void Emit(ConntrackEntry entry)
    {
        if (PassThru && _finders!.In(entry.Namespace).Find(KeyOf(entry)) is { } created)
            WriteObject(created);
    }

    /// <summary>The key of a created entry, without the values that the kernel chooses: the id, and a translated port that was not
    /// given.</summary>
    private static EntryKey KeyOf(ConntrackEntry entry) => EntryKey.Of(entry) with { Id = null, Reply = null };
}
