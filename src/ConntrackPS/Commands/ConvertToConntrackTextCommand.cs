using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Errors;
using ConntrackPS.Pipeline;
using ConntrackPS.Text;

namespace ConntrackPS.Commands;

/// <summary>Writes entries as text, as the kernel or conntrack prints them.</summary>
[Cmdlet(VerbsData.ConvertTo, "ConntrackText")]
[OutputType(typeof(string))]
public sealed class ConvertToConntrackTextCommand : PSCmdlet
{
    private ConntrackTextWriter? _writer;

    /// <summary>An entry of Get-ConntrackEntry, or an object that has kept its properties through a file or remoting.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>The form: List and Extended are conntrack's, Proc the kernel's, Save is for conntrack -R, Delete has it
    /// delete the entries, Xml is one document.</summary>
    [Parameter]
    public ConntrackTextFormat Format { get; set; }

    /// <summary>What List, Extended and Xml are to have besides: Id, Timestamp, Label.</summary>
    [Parameter]
    public ConntrackTextDetails Include { get; set; }

    /// <summary>The time that delta-time= counts to; by default now.</summary>
    [Parameter]
    public DateTime? CapturedAt { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        _writer = new ConntrackTextWriter(Format) { Details = Include, CapturedAt = CapturedAt };
        if (_writer.Header is { } header)
            WriteObject(header);
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        ConntrackEntry entry;
        try
        {
            entry = InputObject.BaseObject as ConntrackEntry ?? EntryFromProperties.Read(InputObject);
        }
        catch (FormatException exception)
        {
            WriteError(ErrorFactory.NotAnEntry(InputObject, exception));
            return;
        }

        try
        {
            WriteObject(_writer!.Write(entry));
        }
        catch (IncompleteTupleException exception)
        {
            WriteError(ErrorFactory.IncompleteEntry(exception, InputObject));
        }
        catch (NotSupportedException exception)
        {
            WriteError(ErrorFactory.NoTextForm(exception, entry));
        }
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (_writer!.Footer is { } footer)
            WriteObject(footer);
    }
}
