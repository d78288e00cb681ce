using System.Management.Automation;
using ConntrackPS.Blocking;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Errors;
using ConntrackPS.Pipeline;

namespace ConntrackPS.Commands;

/// <summary>Drops the traffic of the connections that match a filter or come from the pipeline, until you unblock it or the
/// PowerShell process ends. The entries remain: Remove-ConntrackEntry deletes them.</summary>
[Cmdlet(VerbsSecurity.Block, "ConntrackTraffic", SupportsShouldProcess = true, DefaultParameterSetName = FilterSet)]
[OutputType(typeof(ConntrackBlock))]
public sealed class BlockConntrackTrafficCommand : SelectionCommand
{
    private const string Action = "Block conntrack traffic until Unblock-ConntrackTraffic or the end of this PowerShell process";

    private readonly EntriesByNamespace _entries = new();

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
    /// Measure-ConntrackEntry, whose filter is blocked, as by parameters. Or a group of Group-Object, which means all entries of the
    /// group.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = InputSet)]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>Allows blocking the SSH connection that the command runs in.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    private protected override void Begin()
    {
        // With pipeline input, PowerShell knows the parameter set only when the first object arrives.
        if (!MyInvocation.ExpectingInput)
            Run(() => RefuseEmptyFilter());
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == InputSet)
            ForEachInput(InputObject, input => RunOne(() => Collect(input), input.BaseObject));
        else
            Run(() => BlockByFilter(RefuseEmptyFilter(), NamespaceName));
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        foreach ((string? name, IReadOnlyList<ConntrackEntry> entries) in _entries.All)
        {
            RunOne(
                () =>
                {
                    ConntrackTable table = new(NamespaceNamed(name));
                    if (BlockTargets.OfEntries(this, entries, table, Force) is { } target)
                        Block(target, table);
                },
                name);
        }

        TellRepeated();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _entries.Dispose();
        base.Dispose(disposing);
    }

    private void Collect(PSObject input)
    {
        if (InputGroup.TryRead(input) is { } group)
        {
            if (ReadFilter(group) is { } filter)
                BlockByFilter(filter, NamespaceName ?? group.Namespace);
            return;
        }

        if (ReadKey(input) is not { } key)
            return;
        string? networkNamespace = NamespaceName ?? InputEntry.NamespaceOf(input);

        // A flow that has ended is blocked too, because it could start again.
        ConntrackEntry entry = _entries.Read(input, key, networkNamespace) ?? EntryFromProperties.Read(input);
        if (ShouldProcess(entry.ToString(), Action))
            _entries.Add(networkNamespace, entry);
    }

    private void BlockByFilter(ConntrackFilter filter, string? networkNamespace)
    {
        ConntrackTable table = new(NamespaceNamed(networkNamespace));
        BlockTarget target = BlockTargets.OfFilter(filter, table, Force);
        WarnAboutMissingData(table.NetworkNamespace);
        if (ShouldProcess(target.Description, Action))
            Block(target, table);
    }

    private void Block(BlockTarget target, ConntrackTable table)
    {
        TrafficBlock block = TrafficBlock.Open(target, table.NetworkNamespace);
        ConntrackBlock held;
        try
        {
            // Existing flows are blocked by their packets on the wire: a translated packet does not contain the address that a filter named.
            List<ConntrackEntry> flows = [];
            WarnIfIncomplete(() => target.Find(table, flows, Stop), () => $"{Counted.Of(flows.Count, "existing flow", "existing flows")} blocked. Other matching flows may pass.");
            block.AddFlows(flows);
            if (block.LeftOut > 0)
                WriteWarning($"{Counted.Flows(block.LeftOut)} {Counted.Is(block.LeftOut)} not blocked, or only in part, because packets do not identify them (zones, PPTP).");
            held = BlockSession.Hold(block);
        }
        catch
        {
            block.Dispose();
            throw;
        }

        if (held.Problem is { } problem)
            WriteWarning($"Block {held.Id}: {problem}");

        // If the pipeline is stopped, this throws. The block remains, and Get-ConntrackBlock lists it.
        WriteObject(held);
    }
}

/// <summary>Lists the blocks of this PowerShell process, with the packets and bytes that each dropped.</summary>
[Cmdlet(VerbsCommon.Get, "ConntrackBlock")]
[OutputType(typeof(ConntrackBlock))]
public sealed class GetConntrackBlockCommand : ConntrackCommand
{
    /// <summary>The numbers of the blocks. The default is all blocks.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    public int[]? Id { get; set; }

    private protected override bool ShowsNamespace => base.ShowsNamespace || BlockSession.Namespaces().Count > 1;

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (int id in Id ?? BlockSession.Ids())
            RunOne(() => Write(id), id);
    }

    private void Write(int id)
    {
        ConntrackBlock? block = BlockSession.Read(id);
        if (block is null && Id is not null)
            WriteError(ErrorFactory.NoSuchBlock(id));
        if (block is null || !IsNamed(block.Namespace))
            return;
        if (block.Problem is { } problem)
            WriteWarning($"Block {id}: {problem}");
        WriteObject(block);
    }
}

/// <summary>Removes blocks of this PowerShell process, so that their traffic passes again.</summary>
[Cmdlet(VerbsSecurity.Unblock, "ConntrackTraffic", SupportsShouldProcess = true)]
[OutputType(typeof(ConntrackBlock))]
public sealed class UnblockConntrackTrafficCommand : ConntrackCommand
{
    private bool _areOfSeveral;

    /// <summary>The numbers of the blocks, or objects of Block-ConntrackTraffic or Get-ConntrackBlock.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    public int[] Id { get; set; } = [];

    /// <summary>Emits each removed block, with its final counters.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        // Blocks that are removed are no longer among them.
        _areOfSeveral |= BlockSession.Namespaces().Count > 1;
        foreach (int id in Id)
            RunOne(() => End(id), id);
    }

    private protected override bool ShowsNamespace => base.ShowsNamespace || _areOfSeveral;

    private void End(int id)
    {
        ConntrackBlock? block = BlockSession.Read(id);
        if (block is null || !IsNamed(block.Namespace))
        {
            WriteError(ErrorFactory.NoSuchBlock(id));
            return;
        }

        if (!ShouldProcess(block.ToString(), "Unblock conntrack traffic") || !BlockSession.End(id))
            return;
        if (block.Problem is { } problem)
            WriteWarning($"Block {id}: {problem}");
        if (PassThru)
            WriteObject(block);
    }
}

/// <summary>Protects the SSH connection that a cmdlet runs in: it is blocked only with -Force.</summary>
internal static class BlockTargets
{
    /// <exception cref="OwnConnectionException">The filter names the SSH connection.</exception>
    public static BlockTarget OfFilter(ConntrackFilter filter, ConntrackTable table, bool force)
    {
        BlockTarget target = BlockTarget.Of(filter);
        if (!force)
            new SshGuard(table, SshConnection.Find()).Check(target);
        return target;
    }

    /// <summary>The given flows without the SSH connection, for which an error is written; null if no flow is left.</summary>
    public static BlockTarget? OfEntries(PSCmdlet command, IReadOnlyList<ConntrackEntry> entries, ConntrackTable table, bool force)
    {
        if (force)
            return BlockTarget.Of(entries);
        SshGuard guard = new(table, SshConnection.Find());
        List<ConntrackEntry> others = [];
        foreach (ConntrackEntry entry in entries)
        {
            try
            {
                guard.Check(BlockTarget.Of([entry]));
                others.Add(entry);
            }
            catch (OwnConnectionException exception)
            {
                command.WriteError(ErrorFactory.From(exception, entry));
            }
        }

        return others.Count == 0 ? null : BlockTarget.Of(others);
    }
}
