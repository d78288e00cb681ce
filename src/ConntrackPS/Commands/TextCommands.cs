using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Errors;
using ConntrackPS.Pipeline;
using ConntrackPS.Text;

namespace ConntrackPS.Commands;

/// <summary>Converts entries to text, as the kernel or conntrack print them.</summary>
[Cmdlet(VerbsData.ConvertTo, "ConntrackText")]
[OutputType(typeof(string))]
public sealed class ConvertToConntrackTextCommand : PSCmdlet
{
    private readonly RepeatedErrors _repeated = new();
    private ConntrackTextWriter? _writer;

    /// <summary>An entry of Get-ConntrackEntry, or an object with its properties from a file or remoting.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>The format: List and Extended are those of conntrack -L, Proc is that of /proc/net/nf_conntrack. Save and
    /// Delete are commands for conntrack -R that create or delete the entries. Xml is one XML document.</summary>
    [Parameter]
    public ConntrackTextFormat Format { get; set; }

    /// <summary>Additional fields of List, Extended and Xml: Id, Timestamp, Label.</summary>
    [Parameter]
    public ConntrackTextDetails Include { get; set; }

    /// <summary>The time up to which delta-time= counts. The default is now.</summary>
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
        try
        {
            foreach (PSObject input in InputObjects.Of(InputObject))
                Write(input);
        }
        catch (FormatException exception)
        {
            WriteOnce(ErrorFactory.EmptyGroup(InputObject, exception), exception);
        }
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        foreach (ErrorRecord record in _repeated.Take())
            WriteError(record);
        if (_writer!.Footer is { } footer)
            WriteObject(footer);
    }

    private void Write(PSObject input)
    {
        ConntrackEntry entry;
        try
        {
            entry = input.BaseObject as ConntrackEntry ?? EntryFromProperties.Read(input);
        }
        catch (FormatException exception)
        {
            WriteOnce(ErrorFactory.NotAnEntry(input, exception), exception);
            return;
        }

        try
        {
            WriteObject(_writer!.Write(entry));
        }
        catch (IncompleteTupleException exception)
        {
            WriteOnce(ErrorFactory.IncompleteEntry(exception, input), exception);
        }
        catch (NotSupportedException exception)
        {
            WriteError(ErrorFactory.NoTextForm(exception, entry));
        }
    }

    private void WriteOnce(ErrorRecord record, FormatException problem)
    {
        if (_repeated.Add(record, ErrorFactory.Describe(problem)))
            WriteError(record);
    }
}
