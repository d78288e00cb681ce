using System.Management.Automation;
using ConntrackPS.Blocking;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Pipeline;

namespace ConntrackPS.Commands;

/// <summary>Deletion under a block, so that what is deleted does not come back with the next packet.</summary>
public sealed partial class RemoveConntrackEntryCommand
{
    private const string BlockAction = "Block conntrack traffic";
    private const string BlockAndRemoveAction = "Block the traffic of, and remove, conntrack entry";

    private readonly EntriesByNamespace _toBlock = new();
    private readonly List<TrafficBlock> _blocks = [];

    /// <summary>Drops the traffic of what is deleted, deletes until a listing shows none of it, and lets traffic pass
    /// again. The block goes by itself if the process ends.</summary>
    [Parameter]
    public SwitchParameter Block { get; set; }

    /// <summary>Keeps the block up for so many seconds after the last entry is gone; Ctrl+C ends it at once.</summary>
    [Parameter]
    [ValidateRange(1, 7 * 24 * 3600)]
    public int? BlockSeconds { get; set; }

    /// <summary>Blocks even the SSH connection that the command runs in.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    private bool Blocks => Block || BlockSeconds is not null;

    private void RemoveBlocked(ConntrackTable table, ConntrackFilter filter)
    {
        BlockTarget target = BlockTargets.OfFilter(filter, table, Force);
        if (ShouldProcess(filter.ToString(), BlockAction))
            RemoveBlocked(table, target);
        else if (this.IsWhatIf())
            RemoveEach(table, filter);
    }

    /// <summary>What comes by the pipeline is blocked and deleted together, once all of it is known.</summary>
    private void CollectToBlock(PSObject input)
    {
        if (ReadKey(input) is not { } key)
            return;
        string? networkNamespace = NamespaceName ?? InputEntry.NamespaceOf(input);
        if (_toBlock.Read(input, key, networkNamespace) is not { } entry)
            _sum = _sum with { AlreadyGone = _sum.AlreadyGone + 1 };
        else if (ShouldProcess(entry.ToString(), BlockAndRemoveAction))
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

    /// <summary>Waits as long as blocks are to last, all of them together, and takes them down.</summary>
    private void EndBlocks()
    {
        if (_blocks.Count > 0 && BlockSeconds is { } seconds)
            Stop.WaitHandle.WaitOne(TimeSpan.FromSeconds(seconds));
        foreach (TrafficBlock block in _blocks)
        {
            WriteVerbose($"The block {block.Table} dropped {block.ReadCounters().Packets} packets.");
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
            WriteWarning($"{block.LeftOut} flows were deleted but not blocked, since no packet tells them from others (zones, PPTP).");
        if (deletion.Remaining > 0)
        {
            WriteWarning(
                $"{deletion.Remaining} entries were still there after {deletion.Rounds} rounds: see the errors, or name the "
                + "flows by addresses and ports alone, so that new ones are blocked too.");
        }
    }
}
