using System.Diagnostics;
using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Errors;
using ConntrackPS.Pipeline;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Commands;

/// <summary>Changes the entries of the connection-tracking table that match a filter or come from the pipeline.</summary>
[Cmdlet(VerbsCommon.Set, "ConntrackEntry", SupportsShouldProcess = true, DefaultParameterSetName = FilterSet)]
[OutputType(typeof(ConntrackEntry))]
public sealed class SetConntrackEntryCommand : SelectionCommand
{
    private readonly long _started = Stopwatch.GetTimestamp();
    private PerNamespace<EntryUpdater>? _updaters;
    private WorkProgress _progress = null!;
    private PerNamespace<EntryFinder>? _finders;
    private EntryChange _change = new();
    private string _action = "";
    private bool _asksForEach;

    /// <summary>The network namespace to work in: a name of <c>ip netns</c>, a path, or the id of a process in it.</summary>
    [Parameter]
    [Alias("Namespace")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public new string? NetworkNamespace
    {
        get => OneNamespaceName;
        set => OneNamespaceName = value;
    }

    /// <summary>An entry of Get-ConntrackEntry, or an object with its properties from a file or remoting. Or a group of
    /// Measure-ConntrackEntry or Group-Object, which means all entries of the group.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = InputSet)]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>The new mark: whole (7, 0x100), or only the bits in a mask (0x100/0xff00; 0/0xffff0000 clears these bits).</summary>
    [Parameter]
    [MarkArgument(TakesOne = true)]
    public MaskedMark? NewMark { get; set; }

    /// <summary>The new time until the entry expires: seconds, or a span such as 5m. 0 deletes it immediately.</summary>
    [Parameter]
    [DurationArgument(TakesOne = true, Maximum = TimeoutRange.Maximum)]
    public TimeSpan? NewTimeout { get; set; }

    /// <summary>The old name of -NewTimeout. It is refused: in old command lines -State, -Mark and -Helper are new values, but now they
    /// select entries, so such a line would change the wrong entries.</summary>
    [Parameter(DontShow = true)]
    public object? TimeoutSeconds { get; set; }

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
    [ArgumentCompleter(typeof(StatusCompleter))]
    public string[]? SetStatus { get; set; }

    /// <summary>The new state of TCP or SCTP connections.</summary>
    [Parameter]
    [StateArgument(TakesOne = true)]
    [ArgumentCompleter(typeof(StateCompleter))]
    public string? NewState { get; set; }

    /// <summary>The name of the new helper. An empty name removes the helper. The kernel gives a helper only to new entries.</summary>
    [Parameter]
    [AllowEmptyString]
    [ValidateNotNull]
    public string? NewHelper { get; set; }

    /// <summary>Emits each entry after the change.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private long Changed => _updaters!.All.Sum(updater => updater.Changed);

    private protected override void Begin()
    {
        _asksForEach = this.AsksForEach();
        _progress = new WorkProgress(this, "Changing conntrack entries");
        _updaters = new(table => table.CreateUpdater(keepChanged: PassThru));
        _finders = new(table => table.CreateFinder());
        Run(() => _change = BuildChange());
        bool namesOldTimeout = MyInvocation.BoundParameters.ContainsKey(nameof(TimeoutSeconds));
        if (_change.IsEmpty || namesOldTimeout)
            ThrowTerminatingError(ErrorFactory.NoChange(namesOldTimeout));
        _action = $"Set {_change}";
        if (!MyInvocation.ExpectingInput)
            Run(() => RefuseEmptyFilter());
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName != InputSet)
            Run(() => ChangeByFilter(RefuseEmptyFilter(), NamespaceName));
        else
            ForEachInput(InputObject, ChangeOne);
    }

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() =>
    {
        Flush();
        TellRepeated();
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

    private void ChangeOne(PSObject input)
    {
        if (InputGroup.TryRead(input) is { } group)
            Run(() => ChangeGroup(group), group.Source.BaseObject);
        else
            Run(() => ChangeInput(input), input.BaseObject);
    }

    private void ChangeInput(PSObject input)
    {
        if (ReadKey(input) is { } key)
            Change(key, input.BaseObject is ConntrackEntry entry ? entry : input, NamespaceName ?? InputEntry.NamespaceOf(input));
    }

    private void ChangeGroup(InputGroup group)
    {
        if (ReadFilter(group) is { } filter)
            ChangeByFilter(filter, NamespaceName ?? group.Namespace);
    }

    private void ChangeByFilter(ConntrackFilter filter, string? networkNamespace)
    {
        ConntrackTable table = OpenTable(NamespaceNamed(networkNamespace), filter);
        if (!_asksForEach && !ShouldProcess(filter.ToString(), _action))
            return;

        // Entries are changed during the listing. A change never makes the listing miss an entry or show one twice.
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
        if (_change.State is { } state && ConntrackStates.ToKernel(key.Protocol, state) is null)
        {
            WriteError(ErrorFactory.InvalidState(state, key.Protocol, entry));
            return;
        }

        if (_asksForEach && !ShouldProcess(key.ToString(), _action))
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
        Mark = NewMark,
        TimeoutSeconds = (uint?)NewTimeout?.TotalSeconds,
        AddLabel = AddLabel ?? [],
        RemoveLabel = RemoveLabel ?? [],
        SetStatus = SetStatus is null ? null : StatusArgumentAttribute.Read(SetStatus),
        State = NewState is null ? null : StateArgumentAttribute.Read(NewState),
        Helper = NewHelper,
    };

    private sealed record ChangedEntry(EntryKey Key, object Entry, string? NetworkNamespace);
}
