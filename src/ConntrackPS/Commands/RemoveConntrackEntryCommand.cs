using System.Diagnostics;
using System.Globalization;
using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Blocking;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Errors;
using ConntrackPS.Pipeline;

namespace ConntrackPS.Commands;

/// <summary>Deletes the entries of the connection-tracking table that match a filter or come from the pipeline.</summary>
[Cmdlet(VerbsCommon.Remove, "ConntrackEntry", SupportsShouldProcess = true, DefaultParameterSetName = FilterSet)]
[OutputType(typeof(ConntrackEntry))]
public sealed class RemoveConntrackEntryCommand : SelectionCommand
{
    private const string Action = "Remove conntrack entry";

    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly EntriesByNamespace _toBlock = new();
    private readonly List<TrafficBlock> _blocks = [];
    private DeleteSummary _sum;
    private WorkProgress _progress = null!;
    private PerNamespace<EntryDeleter>? _deleters;
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

    /// <summary>Drops the traffic of the entries, deletes until a listing shows none of them, and then removes the block.
    /// The kernel removes the block if the process ends.</summary>
    [Parameter]
    public SwitchParameter Block { get; set; }

    /// <summary>Keeps the block for this time after the last entry is deleted: seconds, or a span such as 5m, up to 7d. Ctrl+C ends it
    /// immediately.</summary>
    [Parameter]
    [Alias("BlockSeconds")]
    [DurationArgument(TakesOne = true, Minimum = 1, Maximum = 7 * 24 * 3600, TakesFractions = true)]
    public TimeSpan? BlockTime { get; set; }

    /// <summary>Allows blocking the SSH connection that the command runs in.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>An entry of Get-ConntrackEntry, or an object with its properties from a file or remoting. Or a group of
    /// Measure-ConntrackEntry or Group-Object, which means all entries of the group.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = InputSet)]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>Emits each entry that was deleted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>The way to read the table: a dump by netlink, or a BPF program that walks the table in the kernel (Bpf), which is several
    /// times faster for a large table. Auto, the default, takes the walk from 100,000 entries on, if the kernel and the process can.</summary>
    [Parameter]
    public TableEngine Engine { get; set; }

    private protected override void Begin()
    {
        _asksForEach = this.AsksForEach();
        _progress = new WorkProgress(this, "Removing conntrack entries");
        // With pipeline input, PowerShell knows the parameter set only when the first object arrives.
        if (!MyInvocation.ExpectingInput)
            Run(() => RefuseEmptyFilter());
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName != InputSet)
            Run(() => RemoveByFilter(RefuseEmptyFilter(), NamespaceName));
        else
            ForEachInput(InputObject, RemoveOne);
    }

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() =>
    {
        RemoveCollected();
        EndBlocks();
        Flush();
        TellRepeated();
        _progress.Complete();
        foreach (EntryDeleter deleter in Deleters.All)
            Sum(new DeleteSummary(deleter.Deleted, deleter.AlreadyGone, deleter.Failed, IsEstimate: false));
        string about = _sum.IsEstimate ? "about " : "";
        WriteVerbose(
            $"{about}{Counted.Entries(_sum.Deleted)} removed, {_sum.AlreadyGone} already gone, {_sum.Failed} failed, "
            + $"in {Stopwatch.GetElapsedTime(_started).TotalMilliseconds:0} ms.");
    });

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        DisposeBlocks();
        _toBlock.Dispose();
        _deleters?.Dispose();
        base.Dispose(disposing);
    }

    private protected override void Flush()
    {
        foreach (EntryDeleter deleter in Deleters.All)
        {
            deleter.Flush();
            Report(deleter);
        }
    }

    private PerNamespace<EntryDeleter> Deleters => _deleters ??= new(table => table.CreateDeleter(keepDeleted: PassThru));

    private string DescribeBlock(string action) =>
        BlockTime is { } time ? string.Create(CultureInfo.InvariantCulture, $"{action}, and keep the block {time.TotalSeconds} s longer") : action;

    private bool Blocks => Block || BlockTime is not null;

    private void RemoveOne(PSObject input)
    {
        if (InputGroup.TryRead(input) is { } group)
            RunOne(() => RemoveGroup(group), group.Source.BaseObject);
        else
            Run(() => RemoveInput(input), input.BaseObject);
    }

    private void RemoveInput(PSObject input)
    {
        if (Blocks)
        {
            CollectToBlock(input);
            return;
        }

        if (ReadKey(input) is not { } key)
            return;
        if (!_asksForEach || ShouldProcess(input.BaseObject is ConntrackEntry entry ? entry.ToString() : key.ToString(), Action))
            Delete(key, input.BaseObject is ConntrackEntry live ? live : input, NamespaceName ?? InputEntry.NamespaceOf(input));
    }

    private void RemoveGroup(InputGroup group)
    {
        if (ReadFilter(group) is { } filter)
            RemoveByFilter(filter, NamespaceName ?? group.Namespace);
    }

    private protected override TableEngine AskedEngine => Engine;

    private void RemoveByFilter(ConntrackFilter filter, string? networkNamespace)
    {
        ConntrackTable table = OpenTable(NamespaceNamed(networkNamespace), filter);
        if (Blocks)
            RemoveBlocked(table, filter);
        else if (_asksForEach || PassThru)
            RemoveEach(table, filter);
        else if (ShouldProcess(filter.ToString(), Action))
            Sum(() => table.Delete(filter, result => WriteError(ErrorFactory.From(result.Failure!, result.Entry)), count => _progress.Advance(count), Stop));
        ReportEngine(table.EngineNote);
    }

    private void RemoveBlocked(ConntrackTable table, ConntrackFilter filter)
    {
        BlockTarget target = BlockTargets.OfFilter(filter, table, Force);
        if (ShouldProcess(filter.ToString(), DescribeBlock("Block conntrack traffic")))
            RemoveBlocked(table, target);
        else if (this.IsWhatIf())
            RemoveEach(table, filter);
    }

    /// <summary>Collects the entries of the pipeline. They are blocked and deleted together at the end.</summary>
    private void CollectToBlock(PSObject input)
    {
        if (ReadKey(input) is not { } key)
            return;
        string? networkNamespace = NamespaceName ?? InputEntry.NamespaceOf(input);
        if (_toBlock.Read(input, key, networkNamespace) is not { } entry)
            _sum = _sum with { AlreadyGone = _sum.AlreadyGone + 1 };
        else if (ShouldProcess(entry.ToString(), DescribeBlock("Block the traffic of, and remove, conntrack entry")))
            _toBlock.Add(networkNamespace, entry);
    }

    private void RemoveCollected()
    {
        foreach ((string? name, IReadOnlyList<ConntrackEntry> entries) in _toBlock.All)
        {
            RunOne(
                () =>
                {
                    ConntrackTable table = new(NamespaceNamed(name));
                    if (BlockTargets.OfEntries(this, entries, table, Force) is { } target)
                        RemoveBlocked(table, target);
                },
                name);
        }
    }

    private void RemoveBlocked(ConntrackTable table, BlockTarget target)
    {
        TrafficBlock block = TrafficBlock.Open(target, table.NetworkNamespace);
        _blocks.Add(block);
        BlockedDeletion deletion = new(table, block, Report, PassThru);
        Sum(() => deletion.Run(Stop));
        WarnAboutBlock(block, deletion);
    }

    /// <summary>Waits once for -BlockTime, and then removes all blocks.</summary>
    private void EndBlocks()
    {
        if (_blocks.Count > 0 && BlockTime is { } time)
            Stop.WaitHandle.WaitOne(time);
        foreach (TrafficBlock block in _blocks)
        {
            WriteVerbose($"The block {block.Table} dropped {Counted.Of(block.ReadCounters().Packets, "packet", "packets")}.");
            if (block.Problem is { } problem)
                WriteWarning(problem);
        }

        DisposeBlocks();
    }

    private void DisposeBlocks()
    {
        foreach (TrafficBlock block in _blocks)
            block.Dispose();
        _blocks.Clear();
    }

    private void WarnAboutBlock(TrafficBlock block, BlockedDeletion deletion)
    {
        if (block.LeftOut > 0)
            WriteWarning($"{Counted.Flows(block.LeftOut)} {Counted.Was(block.LeftOut)} deleted but not blocked, because packets do not identify them (zones, PPTP).");
        if (deletion.Remaining > 0)
        {
            WriteWarning(
                $"{Counted.Entries(deletion.Remaining)} remained after {deletion.Rounds} rounds. See the errors, or filter "
                + "only by addresses and ports, so that new flows are blocked too.");
        }
    }

    /// <summary>Deletes entry by entry, because -WhatIf, -Confirm and -PassThru need the object of each entry.</summary>
    private void RemoveEach(ConntrackTable table, ConntrackFilter filter)
    {
        using EntryStream stream = table.Open(filter);
        using CancellationTokenRegistration registration = Stop.Register(stream.Cancel);
        long before = Deleters.All.Sum(deleter => deleter.Deleted);
        WarnIfIncomplete(
            () =>
            {
                foreach (ConntrackEntry entry in stream.Batches().SelectMany(batch => batch))
                {
                    if (Stopping)
                        return;
                    if (!_asksForEach || ShouldProcess(entry.ToString(), Action))
                        Delete(EntryKey.Of(entry), entry, table.NetworkNamespace?.Name);
                }
            },
            () =>
            {
                Flush();
                return $"{Counted.Entries(Deleters.All.Sum(deleter => deleter.Deleted) - before)} deleted. Other matching entries may remain.";
            });
    }

    private void Delete(in EntryKey key, object entry, string? networkNamespace)
    {
        EntryDeleter deleter = Deleters.In(networkNamespace);
        deleter.Add(key, entry);
        Report(deleter);
        _progress.Advance();
    }

    /// <summary>Adds the counts of a deletion, and warns if it may have left entries.</summary>
    private void Sum(Func<DeleteSummary> delete) => WarnIfIncomplete(() =>
    {
        try
        {
            Sum(delete());
        }
        catch (IncompleteDeletionException exception)
        {
            Sum(exception.Summary);
            throw;
        }
    });

    private void Sum(DeleteSummary summary) => _sum = new DeleteSummary(
        _sum.Deleted + summary.Deleted,
        _sum.AlreadyGone + summary.AlreadyGone,
        _sum.Failed + summary.Failed,
        _sum.IsEstimate || summary.IsEstimate);

    private void Report(EntryDeleter deleter)
    {
        foreach (EntryResult result in deleter.TakeResults())
            Report(result);
    }

    private void Report(EntryResult result)
    {
        if (result.Failure is { } failure)
            WriteError(ErrorFactory.From(failure, result.Entry));
        else
            WriteObject(result.Entry);
    }
}
