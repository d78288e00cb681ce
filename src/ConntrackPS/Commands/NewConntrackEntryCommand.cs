using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Pipeline;

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
    private bool _asksForEach;
    private bool? _tracksDccp;
    private long _number;
    private long _existed;
    private long _withdrawn;
    private long _withoutTags;
    private long _withoutShift;

    /// <inheritdoc/>
    protected override void BeginProcessing()
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
    protected override void ProcessRecord() => Run(() =>
    {
        bool isInput = ParameterSetName == InputSet;
        long number = isInput ? ++_number : 0;
        try
        {
            ConntrackEntry entry = isInput ? _template.Copy(EntryFromProperties.ReadToCreate(InputObject)) : _template.Create(BuildTuples());
            entry.ThrowIfIncomplete();
            if (!_asksForEach || ShouldProcess(entry.ToString(), "Create conntrack entry"))
                Create(entry, number, NamespaceName ?? (isInput ? entry.Namespace : null));
        }
        catch (FormatException exception)
        {
            ErrorRecord error = ErrorFactory.InvalidEntry(exception, isInput ? InputObject : null, number);
            if (!isInput)
                ThrowTerminatingError(error);

            // The error may end the pipeline, and what came before it was meant.
            Flush();
            WriteError(error);
        }
    });

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() =>
    {
        Flush();
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

    private void Flush()
    {
        foreach (EntryCreator creator in _creators!.All)
        {
            creator.Flush();
            Report(creator);
        }

        foreach (EntryUpdater updater in _updaters!.All)
        {
            updater.Flush();
            Report(updater);
        }
    }

    private void Create(ConntrackEntry entry, long number, string? networkNamespace)
    {
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
        creator.Add(entry, new NumberedEntry(number, entry));
        Report(creator);
        _progress.Advance();
    }

    /// <summary>Linux 6.18 no longer tracks DCCP. It accepts such entries, and ignores their ports and state without an error.</summary>
    /// <remarks>Asked once: the kernel is the same for all entries. A namespace that shows no timeouts at all tells nothing.</remarks>
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

    private void Report(EntryBatch batch)
    {
        foreach (EntryResult result in batch.TakeResults())
        {
            NumberedEntry numbered = (NumberedEntry)result.Entry;
            if (result.Failure is null)
                Finish(numbered, batch);
            else if (Force && result.Failure.Errno == Errno.Exists)
                MakeLike(numbered, result.Failure);
            else
                WriteError(ErrorFactory.NotCreated(result.Failure, numbered.Entry, numbered.Number));
        }
    }

    /// <summary>The kernel looks for a master by its tuple, in the entry's own zone, and would accept an entry that came later.</summary>
    private bool IsThere(in EntryKey master, ConntrackEntry entry) =>
        master.AnyZone == EntryKey.Of(entry).AnyZone && _finders!.In(entry.Namespace).Find(master) is not null;

    /// <summary>What exists must be the same flow: the kernel refuses as well where another one has one of the tuples.</summary>
    private void MakeLike(NumberedEntry numbered, NetlinkException refusal)
    {
        (long number, ConntrackEntry entry) = numbered;
        if (_finders!.In(entry.Namespace).Find(EntryKey.Of(entry) with { Id = null }) is not { } present)
        {
            WriteError(ErrorFactory.NotAlike(refusal, entry, number));
            return;
        }

        _existed++;
        if (entry.Helper is { } helper && present.Helper != helper)
            WriteWarning($"The existing entry keeps its helper ({present.Helper ?? "none"}), because only new entries can get one: {present}");
        _updaters!.In(entry.Namespace).Add(EntryKey.Of(present), EntryChange.MakeLike(entry), numbered);
    }

    /// <summary>When the kernel creates an entry it ignores labels that no rule uses, without an error; it returns one when they
    /// are set again.</summary>
    private void Finish(NumberedEntry numbered, EntryBatch batch)
    {
        if (batch is EntryCreator && HasOtherMaster(numbered))
            return;
        if (batch is EntryCreator)
            CountGaps(numbered.Entry);
        if (batch is EntryCreator && numbered.Entry.Labels is not null)
            _updaters!.In(numbered.Entry.Namespace).Add(KeyOf(numbered.Entry), EntryChange.LabelLike(numbered.Entry), numbered);
        else
            Emit(numbered.Entry);
    }

    private void CountGaps(ConntrackEntry entry)
    {
        _withoutTags += entry.LacksVerificationTags ? 1 : 0;
        _withoutShift += entry.LacksSequenceShift ? 1 : 0;
    }

    /// <summary>What text leaves out, and can't be derived.</summary>
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

    /// <summary>The kernel finds a master by either direction of whichever entry has the tuple, and does not tell which.</summary>
    private bool HasOtherMaster(NumberedEntry numbered)
    {
        (long number, ConntrackEntry entry) = numbered;
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

    /// <summary>The id is the kernel's to give, and so is a translated port that was left open.</summary>
    private static EntryKey KeyOf(ConntrackEntry entry) => EntryKey.Of(entry) with { Id = null, Reply = null };
}
