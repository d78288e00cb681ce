using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Errors;
using ConntrackPS.Events;
using ConntrackPS.Expectations;
using ConntrackPS.Pipeline;
using ConntrackPS.Text;
using ConntrackPS.Text.Writing;

namespace ConntrackPS.Commands;

/// <summary>Converts entries, events or expectations to text, as the kernel or conntrack print them.</summary>
[Cmdlet(VerbsData.ConvertTo, "ConntrackText")]
[OutputType(typeof(string))]
public sealed class ConvertToConntrackTextCommand : PSCmdlet
{
    private readonly RepeatedErrors _repeated = new();
    private ConntrackTextWriter? _writer;
    private ExpectationWriter? _expectations;
    private bool _isBegun;
    private bool _isOfExpectations;

    /// <summary>An entry of Get-ConntrackEntry, an expectation of Get-ConntrackExpectation, or an object with their properties
    /// from a file or remoting.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>The format: List and Extended are those of conntrack -L, Proc is that of /proc/net/nf_conntrack. Save and
    /// Delete are commands for conntrack -R that create or delete the entries. Xml is one XML document. Expectations have List,
    /// Extended, Proc and Xml.</summary>
    [Parameter]
    public ConntrackTextFormat Format { get; set; }

    /// <summary>Additional fields of List, Extended and Xml: Id, Timestamp, Label, and EventTime for events. Expectations have only
    /// EventTime.</summary>
    [Parameter]
    public ConntrackTextDetails Include { get; set; }

    /// <summary>The time up to which delta-time= counts. The default is now.</summary>
    [Parameter]
    public DateTime? CapturedAt { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        _writer = new ConntrackTextWriter(Format) { Details = Include, CapturedAt = CapturedAt };
        _expectations = new ExpectationWriter(Format) { Details = Include };
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
        Begin(_isOfExpectations);
        if ((_isOfExpectations ? _expectations!.Footer : _writer!.Footer) is { } footer)
            WriteObject(footer);
    }

    private void Write(PSObject input)
    {
        if (InputExpectation.IsExpectation(input))
            WriteExpectation(input);
        else
            WriteEntry(input);
    }

    private void WriteExpectation(PSObject input)
    {
        ConntrackExpectation expectation;
        try
        {
            expectation = input.BaseObject as ConntrackExpectation ?? InputExpectation.ReadForText(input);
        }
        catch (FormatException exception)
        {
            WriteOnce(ErrorFactory.NotAnExpectation(input, exception), exception);
            return;
        }

        try
        {
            WriteText(_expectations!.Write(expectation), input, isOfExpectations: true);
        }
        catch (IncompleteTupleException exception)
        {
            WriteOnce(ErrorFactory.IncompleteExpectation(exception, input), exception);
        }
        catch (NotSupportedException exception)
        {
            WriteError(ErrorFactory.NoTextForm(exception, expectation));
        }
    }

    /// <summary>Writes the text of an object, and before the first one the beginning of the document: XML has either entries or
    /// expectations.</summary>
    private void WriteText(string text, PSObject input, bool isOfExpectations)
    {
        Begin(isOfExpectations);
        if (isOfExpectations != _isOfExpectations && _writer!.Header is not null)
            WriteError(ErrorFactory.MixedDocument(input));
        else
            WriteObject(text);
    }

    private void Begin(bool isOfExpectations)
    {
        if (_isBegun)
            return;
        (_isBegun, _isOfExpectations) = (true, isOfExpectations);
        if ((isOfExpectations ? _expectations!.Header : _writer!.Header) is { } header)
            WriteObject(header);
    }

    private void WriteEntry(PSObject input)
    {
        ConntrackEntry entry;
        try
        {
            entry = input.BaseObject as ConntrackEntry ?? InputEvent.Read(input) ?? new ConntrackEvent(ConntrackEventType.Lost);
        }
        catch (FormatException exception)
        {
            WriteOnce(ErrorFactory.NotAnEntry(input, exception), exception);
            return;
        }

        try
        {
            WriteText(_writer!.Write(entry), input, isOfExpectations: false);
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
