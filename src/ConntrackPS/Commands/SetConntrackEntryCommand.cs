using System.Diagnostics;
using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Errors;
using ConntrackPS.Pipeline;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Commands;

/// <summary>Changes the entries of the connection-tracking table that match a filter or come from the pipeline.</summary>
[Cmdlet(VerbsCommon.Set, "ConntrackEntry", SupportsShouldProcess = true, DefaultParameterSetName = FilterSet)]
[OutputType(typeof(ConntrackEntry))]
public sealed class SetConntrackEntryCommand : SelectionCommand
{
    private const string Action = "Set conntrack entry";

    private readonly long _started = Stopwatch.GetTimestamp();
    private PerNamespace<EntryUpdater>? _updaters;
    private WorkProgress _progress = null!;
    private PerNamespace<EntryFinder>? _finders;
    private EntryChange _change = new();
    private bool _asksForEach;

    /// <summary>An entry of Get-ConntrackEntry, or an object with its properties from a file or remoting. Or a group of
    /// Measure-ConntrackEntry, which means all entries of the group.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = InputSet)]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>The new mark: whole (7, 0x100), or only the bits in a mask (0x100/0xff00; 0/0xffff0000 clears these bits).</summary>
    [Parameter]
    [MarkArgument(TakesOne = true)]
    public MaskedMark? Mark { get; set; }

    /// <summary>The time until the entry expires: seconds, or a span such as 5m. 0 deletes it immediately.</summary>
    [Parameter]
    [DurationArgument(TakesOne = true, Maximum = TimeoutRange.Maximum)]
    public TimeSpan? TimeoutSeconds { get; set; }

    /// <summary>Labels to set, by name or bit.</summary>
    [Parameter]
    [LabelArgument]
    [ArgumentCompleter(typeof(LabelCompleter))]
    public int[]? AddLabel { get; set; }

    /// <summary>Labels to clear, by name or bit.</summary>
    [Parameter]
    [LabelArgument]
    [ArgumentCompleter(typeof(LabelCompleter))]
    public int[]? RemoveLabel { get; set; }

    /// <summary>Status bits to set: Assured, SeenReply, FixedTimeout. The kernel cannot clear a status bit.</summary>
    [Parameter]
    [StatusArgument]
    public ConntrackStatus[]? SetStatus { get; set; }

    /// <summary>The new state of TCP or SCTP connections.</summary>
    [Parameter]
    [StateArgument(TakesOne = true)]
    public ConntrackState? State { get; set; }

    /// <summary>The name of the helper. An empty name removes the helper. Only a new entry can get a helper.</summary>
    [Parameter]
    [AllowEmptyString]
    [ValidateNotNull]
    public string? Helper { get; set; }

    /// <summary>Marks to select by; -Mark is the new one.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [MarkArgument]
    public MaskedMark[]? WhereMark { get; set; }

    /// <summary>States to select by; -State is the new one.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [StateArgument]
    public ConntrackState[]? WhereState { get; set; }

    /// <summary>Helpers to select by; -Helper is the new one.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [TextArgument]
    [ArgumentCompleter(typeof(HelperCompleter))]
    public string[]? WhereHelper { get; set; }

    /// <summary>Emits each entry after the change.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private long Changed => _updaters!.All.Sum(updater => updater.Changed);

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        _asksForEach = this.AsksForEach();
        _progress = new WorkProgress(this, "Changing conntrack entries");
        _updaters = new(table => table.CreateUpdater(keepChanged: PassThru));
        _finders = new(table => table.CreateFinder());
        Run(() => _change = BuildChange());
        if (_change.IsEmpty)
            ThrowTerminatingError(ErrorFactory.NoChange());
        if (!MyInvocation.ExpectingInput)
            Run(() => RefuseEmptyFilter());
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName != InputSet)
            Run(() => ChangeByFilter(RefuseEmptyFilter(), NamespaceName));
        else if (InputGroup.TryRead(InputObject, out ConntrackGroup? group))
            Run(() => ChangeGroup(group), group);
        else
            Run(ChangeInput, InputObject.BaseObject);
    }

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() =>
    {
        Flush();
        _progress.Complete();
        WriteVerbose(
            $"{Counted.Entries(Changed)} changed, {_updaters!.All.Sum(updater => updater.AlreadyGone)} already gone, "
            + $"{_updaters.All.Sum(updater => updater.Failed)} failed, in {Stopwatch.GetElapsedTime(_started).TotalMilliseconds:0} ms.");
    });

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _updaters?.Dispose();
        _finders?.Dispose();
        base.Dispose(disposing);
    }

    private protected override void Flush()
    {
        foreach (EntryUpdater updater in _updaters!.All)
        {
            updater.Flush();
            Report(updater);
        }
    }

    private void ChangeInput()
    {
        if (ReadKey(InputObject) is { } key)
            Change(key, InputObject.BaseObject is ConntrackEntry entry ? entry : InputObject, NamespaceName ?? InputEntry.NamespaceOf(InputObject));
    }

    private void ChangeGroup(ConntrackGroup group)
    {
        if (ReadFilter(group) is { } filter)
            ChangeByFilter(filter, NamespaceName ?? group.Namespace);
    }

    private void ChangeByFilter(ConntrackFilter filter, string? networkNamespace)
    {
        ConntrackTable table = OpenTable(NamespaceNamed(networkNamespace), filter);
        if (!_asksForEach && !ShouldProcess(filter.ToString(), Action))
            return;

        // Changed while others are still to be read: no change makes the listing miss an entry, or show one twice.
        using EntryStream stream = table.Open(filter);
        using CancellationTokenRegistration registration = Stop.Register(stream.Cancel);
        long before = Changed;
        WarnIfIncomplete(
            () =>
            {
                foreach (ConntrackEntry entry in stream.Batches().SelectMany(batch => batch))
                {
                    if (Stopping)
                        return;
                    Change(EntryKey.Of(entry), entry, networkNamespace);
                }
            },
            () =>
            {
                Flush();
                return $"{Counted.Entries(Changed - before)} changed. Other matching entries may be unchanged.";
            });
    }

    private void Change(in EntryKey key, object entry, string? networkNamespace)
    {
        if (State is { } state && ConntrackStates.ToKernel(key.Protocol, state) is null)
        {
            WriteError(ErrorFactory.InvalidState(state, key.Protocol, entry));
            return;
        }

        if (_asksForEach && !ShouldProcess(key.ToString(), Action))
            return;
        EntryUpdater updater = _updaters!.In(networkNamespace);
        updater.Add(key, _change, new ChangedEntry(key, entry, networkNamespace));
        Report(updater);
        _progress.Advance();
    }

    private void Report(EntryUpdater updater)
    {
        foreach (EntryResult result in updater.TakeResults())
        {
            ChangedEntry changed = (ChangedEntry)result.Entry;
            if (result.Failure is { } failure)
                WriteError(ErrorFactory.NotChanged(failure, _change, changed.Entry));
            else if (_finders!.In(changed.NetworkNamespace).Find(changed.Key) is { } present)
                WriteObject(present);
        }
    }

    private EntryChange BuildChange() => new()
    {
        Mark = Mark,
        TimeoutSeconds = (uint?)TimeoutSeconds?.TotalSeconds,
        AddLabel = AddLabel ?? [],
        RemoveLabel = RemoveLabel ?? [],
        SetStatus = SetStatus is null ? null : FilterParameters.Combine(SetStatus),
        State = State,
        Helper = Helper,
    };

    private sealed record ChangedEntry(EntryKey Key, object Entry, string? NetworkNamespace);
}
