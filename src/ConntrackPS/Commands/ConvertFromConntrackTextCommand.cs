using System.Collections.ObjectModel;
using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis;
using ConntrackPS.Errors;
using ConntrackPS.Events;
using ConntrackPS.Expectations;
using ConntrackPS.Text;
using ConntrackPS.Text.Reading;
using ConntrackPS.Top.Drawing;
using ConntrackPS.Tuning.Settings;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Commands;

/// <summary>Converts text that a router printed or logged into objects: connections, events, expectations, counters and settings.</summary>
[Cmdlet(VerbsData.ConvertFrom, "ConntrackText", DefaultParameterSetName = InputSet)]
[OutputType(
    typeof(ConntrackEntry), typeof(ConntrackEvent), typeof(ConntrackExpectation), typeof(ConntrackCounters), typeof(ConntrackSetting),
    typeof(ConntrackTimeout))]
public sealed class ConvertFromConntrackTextCommand : PSCmdlet
{
    private const string InputSet = "InputObject";
    private const string PathSet = "Path";
    private const string LiteralPathSet = "LiteralPath";

    private readonly UnknownWords _unknown = new();
    private ConntrackTextReader? _input;
    private long _lines;
    private long _objects;
    private long _continued;
    private long _skipped;
    private long _refused;

    /// <summary>Lines of text, whole texts, or files of Get-ChildItem.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ParameterSetName = InputSet)]
    [AllowNull]
    [AllowEmptyString]
    [AllowEmptyCollection]
    public object?[]? InputObject { get; set; }

    /// <summary>Files to read, such as /proc/net/nf_conntrack. They may contain wildcards, and gzip files work too.</summary>
    [Parameter(Mandatory = true, ParameterSetName = PathSet)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[] Path { get; set; } = [];

    /// <summary>Files to read. Wildcards are not expanded.</summary>
    [Parameter(Mandatory = true, ParameterSetName = LiteralPathSet)]
    [Alias("PSPath")]
    [ValidateNotNullOrEmpty]
    public string[] LiteralPath { get; set; } = [];

    /// <summary>The kind of text. By default the cmdlet detects it line by line.</summary>
    [Parameter]
    public ConntrackTextSource? Format { get; set; }

    /// <summary>The time at which the text was printed. With it, entries get a StartTime if the text has delta-time=. Log lines without a year
    /// get the year of this time.</summary>
    [Parameter]
    public DateTime? CapturedAt { get; set; }

    /// <summary>Also reads lines with hidden addresses, such as src=x.x.x.x. These addresses are null in the objects.</summary>
    [Parameter]
    public SwitchParameter AllowMasked { get; set; }

    /// <summary>Adds the properties Path and LineNumber to each object: the file and the line that it was read from.</summary>
    [Parameter]
    public SwitchParameter IncludeLine { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing() => _input = new ConntrackTextReader(Options(writtenAt: null) with { IsLive = true });

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (object? input in InputObject ?? [])
        {
            if (Stopping)
                return;
            if ((input is PSObject wrapped ? wrapped.BaseObject : input) is FileSystemInfo file)
            {
                ReadFiles([file.FullName]);
                continue;
            }

            _input!.Add(LanguagePrimitives.ConvertTo<string>(input) ?? "");
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
        if (_unknown.Describe() is { } warning)
            WriteWarning(warning);
        WriteVerbose(
            $"{Counted.Of(_lines, "line", "lines")} read: {Counted.Of(_objects, "object", "objects")}, {Counted.Of(_continued, "continuation line", "continuation lines")}, "
                + $"{Counted.Of(_skipped, "line", "lines")} skipped, {Counted.Of(_refused, "line", "lines")} refused.");
    }

    private ConntrackTextOptions Options(DateTime? writtenAt) =>
        new() { CapturedAt = CapturedAt, WrittenAt = CapturedAt ?? writtenAt, Source = Format, AllowMasked = AllowMasked };

    private void ReadFiles(string path, Func<Collection<string>> resolve)
    {
        try
        {
            ReadFiles(resolve());
        }
        catch (SessionStateException exception)
        {
            // PowerShell's own record best describes a missing file or drive.
            WriteError(exception.ErrorRecord);
        }
        catch (Exception exception) when (IsAboutFile(exception))
        {
            WriteError(ErrorFactory.UnreadableFile(exception, path));
        }
    }

    private void ReadFiles(Collection<string> files)
    {
        foreach (string file in files)
        {
            try
            {
                ReadFile(file);
            }
            catch (Exception exception) when (IsAboutFile(exception))
            {
                WriteError(ErrorFactory.UnreadableFile(exception, file));
            }
        }
    }

    private static bool IsAboutFile(Exception exception) =>
        exception is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException;

    private void ReadFile(string file)
    {
        using TextFile text = TextFile.Open(file, () => Stopping);
        ConntrackTextReader reader = new(Options(File.GetLastWriteTime(file)));
        try
        {
            while (!Stopping && text.ReadLine() is { } line)
            {
                reader.Add(line);
                Write(reader, file);
            }
        }
        finally
        {
            // The objects before an error in the file, such as a truncated archive, are emitted.
            Complete(reader, file);
        }
    }

    private void Complete(ConntrackTextReader reader, string? file)
    {
        reader.Complete();
        Write(reader, file);
        _lines += reader.LineCount;
        _objects += reader.RecordCount;
        _continued += reader.ContinuedCount;
        _skipped += reader.SkippedCount;
        _refused += reader.ProblemCount;
    }

    private void Write(ConntrackTextReader reader, string? file)
    {
        while (reader.TryTake(out ConntrackTextItem? item))
        {
            switch (item)
            {
                case ConntrackTextRecord record:
                    _unknown.Add(record, file);
                    WriteObject(IncludeLine ? WithLine(record, file) : record.Value);
                    break;
                case ConntrackTextProblem problem:
                    WriteError(ErrorFactory.InvalidText(problem, file));
                    break;
            }
        }
    }

    private static PSObject WithLine(ConntrackTextRecord record, string? file)
    {
        PSObject result = new(record.Value);
        result.Properties.Add(new PSNoteProperty("Path", file));
        result.Properties.Add(new PSNoteProperty("LineNumber", record.LineNumber));
        return result;
    }

    /// <summary>The unknown words of a text, for one warning about all of them.</summary>
    private sealed class UnknownWords
    {
        private const int MaximumNames = 20;
        private const int MaximumLength = 80;

        private readonly SortedSet<string> _names = new(StringComparer.Ordinal);
        private long _count;
        private string _first = "";

        public void Add(ConntrackTextRecord record, string? file)
        {
            if (record.UnknownWords.Count == 0)
                return;
            if (_count++ == 0)
                _first = $"line {record.LineNumber}{(file is null ? "" : " of " + TextWidth.Printable(file))}";
            foreach (string name in record.UnknownWords)
            {
                if (_names.Count <= MaximumNames)
                    _names.Add(name.Length > MaximumLength ? name[..MaximumLength] + "..." : name);
            }
        }

        public string? Describe() => _count == 0
            ? null
            : $"{Counted.Of(_count, "object has", "objects have")} words that are not known, in the property Extra: "
                + $"{string.Join(", ", _names.Take(MaximumNames))}{(_names.Count > MaximumNames ? " and others" : "")}. The first is at {_first}.";
    }
}
