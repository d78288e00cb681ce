using System.Diagnostics.CodeAnalysis;
using ConntrackPS.Conntrack;
using ConntrackPS.Text.Reading;

namespace ConntrackPS.Text;

/// <summary>Reads entries from text in any of the forms that kernels and conntrack print, in one file as they come.</summary>
/// <remarks>/proc/net/ip_conntrack and /proc/net/nf_conntrack; <c>conntrack -L</c>, <c>-G</c>, <c>-D</c> and <c>-E</c>, plain, with
/// <c>-o extended, id, timestamp, ktimestamp, labels</c>; <c>-o save</c>; <c>-o xml</c>. Wrapped lines are joined.
/// Commands may have the program's name and a prompt before them. Blank lines, comments, conntrack's totals and commands that list
/// are passed over. A line that is none of these becomes a problem, and the rest goes on.</remarks>
/// <example><code>foreach (ConntrackTextItem item in new ConntrackTextReader().Read(File.OpenText("nf_conntrack")))
///     Console.WriteLine(item is ConntrackTextRecord record ? record.Entry : item);</code></example>
public sealed class ConntrackTextReader
{
    private readonly Queue<ConntrackTextItem> _items = [];
    private readonly LineJoiner _joiner;
    private readonly XmlCollector _collector;

    /// <summary>A reader of one text.</summary>
    /// <param name="labels">The names of label bits; null for this machine's.</param>
    /// <param name="capturedAt">When the text was printed. Connections then have a start time where the text has delta-time=;
    /// without it they don't, for the text doesn't tell.</param>
    public ConntrackTextReader(LabelNames? labels = null, DateTime? capturedAt = null)
    {
        TextParser parser = new(new TextContext(labels ?? LabelNames.System, capturedAt));
        _joiner = new LineJoiner(parser, Emit);
        _collector = new XmlCollector(parser, Emit);
    }

    /// <summary>Yields lines of events at once, as they may come live. Otherwise each waits for the next line, which may continue
    /// it.</summary>
    public bool IsLive
    {
        get => _joiner.IsLive;
        init => _joiner.IsLive = value;
    }

    /// <summary>Lines added.</summary>
    public long LineCount { get; private set; }

    /// <summary>Lines passed over: blank ones, comments, totals.</summary>
    public long SkippedCount { get; private set; }

    /// <summary>Entries read.</summary>
    public long RecordCount { get; private set; }

    /// <summary>Problems found.</summary>
    public long ProblemCount { get; private set; }

    /// <summary>Adds a line, or several with line feeds in between.</summary>
    internal void Add(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        int from = 0;
        for (int end; (end = text.IndexOf('\n', from)) >= 0; from = end + 1)
            AddLine(text[from..end]);
        if (from == 0 || from < text.Length)
            AddLine(text[from..]);
    }

    /// <summary>Says that no more lines come.</summary>
    internal void Complete()
    {
        _joiner.Flush();
        _collector.Flush();
    }

    /// <summary>Takes what has been read, in the order of lines.</summary>
    internal bool TryTake([NotNullWhen(true)] out ConntrackTextItem? item) => _items.TryDequeue(out item);

    /// <summary>Reads a whole text.</summary>
    public IEnumerable<ConntrackTextItem> Read(TextReader text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return ReadAll();

        IEnumerable<ConntrackTextItem> ReadAll()
        {
            while (text.ReadLine() is { } line)
            {
                AddLine(line);
                while (_items.TryDequeue(out ConntrackTextItem? item))
                    yield return item;
            }

            Complete();
            while (_items.TryDequeue(out ConntrackTextItem? item))
                yield return item;
        }
    }

    private void AddLine(string line)
    {
        LineCount++;
        ReadOnlySpan<char> text = line.AsSpan().Trim();
        if (text.IsEmpty || IsRemark(text))
        {
            SkippedCount++;
            _joiner.Flush();
        }
        else if (_collector.IsOpen || text[0] == '<')
        {
            _joiner.Flush();
            _collector.Add(line, LineCount);
        }
        else
        {
            _joiner.Add(line, LineCount);
        }
    }

    /// <summary>Comments of files for <c>conntrack -R</c>; <c>conntrack v1.4.7 (conntrack-tools): 5 flow entries have been
    /// shown.</c>, which goes to standard error; and the command itself, where a terminal's text was pasted. conntrack's errors
    /// stay problems: entries may be missing then.</summary>
    private static bool IsRemark(ReadOnlySpan<char> line) =>
        line[0] == '#'
        || (line.StartsWith("conntrack v", StringComparison.Ordinal)
            && (line.Contains(" have been ", StringComparison.Ordinal) || line.Contains(" has been ", StringComparison.Ordinal)))
        || PastedCommand.IsListing(line);

    private void Emit(ConntrackTextItem item)
    {
        if (item is ConntrackTextRecord)
            RecordCount++;
        else
            ProblemCount++;
        _items.Enqueue(item);
    }
}
