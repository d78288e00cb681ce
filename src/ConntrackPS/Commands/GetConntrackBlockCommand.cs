using System.Management.Automation;
using ConntrackPS.Blocking;
using ConntrackPS.Errors;

namespace ConntrackPS.Commands;

/// <summary>Lists the blocks that this PowerShell process holds, with what each has dropped.</summary>
[Cmdlet(VerbsCommon.Get, "ConntrackBlock")]
[OutputType(typeof(ConntrackBlock))]
public sealed class GetConntrackBlockCommand : ConntrackCommand
{
    /// <summary>The blocks' numbers; without it all are listed.</summary>
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
