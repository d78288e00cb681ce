using System.Management.Automation;
using ConntrackPS.Blocking;
using ConntrackPS.Errors;

namespace ConntrackPS.Commands;

/// <summary>Lets traffic pass again that Block-ConntrackTraffic of this PowerShell process drops.</summary>
[Cmdlet(VerbsSecurity.Unblock, "ConntrackTraffic", SupportsShouldProcess = true)]
[OutputType(typeof(ConntrackBlock))]
public sealed class UnblockConntrackTrafficCommand : ConntrackCommand
{
    /// <summary>The blocks' numbers, or objects of Block-ConntrackTraffic or Get-ConntrackBlock.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    public int[] Id { get; set; } = [];

    /// <summary>Emits each block that was ended, with what it dropped in all.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (int id in Id)
            RunOne(() => End(id), id);
    }

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
