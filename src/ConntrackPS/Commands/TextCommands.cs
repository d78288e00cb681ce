using System.Collections.ObjectModel;
using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Errors;
using ConntrackPS.Expectations;
using ConntrackPS.Linux;
using ConntrackPS.Pipeline;
using ConntrackPS.Text;
using ConntrackPS.Text.Writing;

namespace ConntrackPS.Commands;

/// <summary>Converts text that a kernel or conntrack printed, on this or another machine, into entries.</summary>
[Cmdlet(VerbsData.ConvertFrom, "ConntrackText", DefaultParameterSetName = InputSet)]
[OutputType(typeof(ConntrackEntry))]
public sealed class ConvertFromConntrackTextCommand : PSCmdlet
{
    private const string InputSet = "InputObject";
    private const string PathSet = "Path";
    private const string LiteralPathSet = "LiteralPath";

    private ConntrackTextReader? _input;
    private long _lines;
    private long _entries;
    private long _skipped;
    private long _failed;
    private long _incomplete;
    private string? _firstOmission;

    /// <summary>Lines of text, or whole texts.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ParameterSetName = InputSet)]
    [AllowNull]
    [AllowEmptyString]
    [AllowEmptyCollection]
    public string?[]? InputObject { get; set; }

    /// <summary>Files to read, such as /proc/net/nf_conntrack; wildcards are allowed.</summary>
    [Parameter(Mandatory = true, ParameterSetName = PathSet)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[] Path { get; set; } = [];

    /// <summary>Files to read. Wildcards are not expanded.</summary>
    [Parameter(Mandatory = true, ParameterSetName = LiteralPathSet)]
    [Alias("PSPath")]
    [ValidateNotNullOrEmpty]
    public string[] LiteralPath { get; set; } = [];

    /// <summary>The time at which the text was printed. With it, entries get a StartTime if the text has delta-time=.</summary>
    [Parameter]
    public DateTime? CapturedAt { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing() => _input = new ConntrackTextReader(capturedAt: CapturedAt) { IsLive = true };

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (string? line in InputObject ?? [])
        {
            if (Stopping)
                return;
            _input!.Add(line ?? "");
            Write(_input, null);
        }
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        Complete(_input!, null);
        foreach (string path in Path)
            ReadFiles(path, () => GetResolvedProviderPathFromPSPath(path, out _));
        foreach (string path in LiteralPath)
            ReadFiles(path, () => [GetUnresolvedProviderPathFromPSPath(path)]);
        if (_incomplete > 0)
            WriteWarning($"{Counted.Entries(_incomplete)} without a value that the text contains. The first: {_firstOmission}.");
        WriteVerbose($"{_lines} lines read: {_entries} entries, {_skipped} lines skipped, {_failed} not understood.");
    }

    private void ReadFiles(string path, Func<Collection<string>> resolve)
    {
        try
        {
            foreach (string file in resolve())
                ReadFile(file);
        }
        catch (SessionStateException exception)
        {
            // No such file, no such drive: PowerShell's own record says it best.
            WriteError(exception.ErrorRecord);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            WriteError(ErrorFactory.UnreadableFile(exception, path));
        }
    }

    private void ReadFile(string file)
    {
        using StreamReader text = OperatingSystem.IsLinux() ? new(NamedFile.Open(file, () => Stopping)) : new(file);
        ConntrackTextReader reader = new(capturedAt: CapturedAt);
        while (!Stopping && text.ReadLine() is { } line)
        {
            reader.Add(line);
            Write(reader, file);
        }

        Complete(reader, file);
    }

    private void Complete(ConntrackTextReader reader, string? file)
    {
        reader.Complete();
        Write(reader, file);
        _lines += reader.LineCount;
        _entries += reader.RecordCount;
        _skipped += reader.SkippedCount;
        _failed += reader.ProblemCount;
    }

    private void Write(ConntrackTextReader reader, string? file)
    {
        while (reader.TryTake(out ConntrackTextItem? item))
        {
            switch (item)
            {
                case ConntrackTextRecord record:
                    if (record.Omitted is not null && _incomplete++ == 0)
                        _firstOmission = $"line {record.LineNumber}{(file is null ? "" : " of " + file)} has {record.Omitted}";
                    WriteObject(record.Entry);
                    break;
                case ConntrackTextProblem problem:
                    WriteError(ErrorFactory.InvalidText(problem, file));
                    break;
            }
        }
    }
}

/// <summary>Converts entries or expectations to text, as the kernel or conntrack print them.</summary>
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

    /// <summary>Additional fields of List, Extended and Xml: Id, Timestamp, Label. Of expectations only events have one:
    /// Timestamp.</summary>
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

    /// <summary>Writes the text of an object, and before the first one's what begins a document: XML has either entries or
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
            entry = input.BaseObject as ConntrackEntry ?? EntryFromProperties.Read(input);
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
