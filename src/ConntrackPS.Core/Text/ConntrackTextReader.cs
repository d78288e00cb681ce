using System.Diagnostics.CodeAnalysis;
using ConntrackPS.Conntrack;
using ConntrackPS.Text.Reading;

namespace ConntrackPS.Text;

/// <summary>Reads entries from text in all forms that kernels and conntrack print. One file may mix them.</summary>
/// <remarks>/proc/net/ip_conntrack and /proc/net/nf_conntrack; <c>conntrack -L</c>, <c>-G</c>, <c>-D</c> and <c>-E</c>, plain or with <c>-o
/// extended, id, timestamp, ktimestamp, labels</c>; <c>-o save</c>; <c>-o xml</c>. Wrapped lines are joined. Commands may have the
/// program's name and a prompt before them. Blank lines, comments, conntrack's totals and commands that list are skipped. Any other line
/// becomes a problem, and reading continues.</remarks>
/// <example><code>foreach (ConntrackTextItem item in new ConntrackTextReader().Read(File.OpenText("nf_conntrack")))
///     Console.WriteLine(item is ConntrackTextRecord record ? record.Entry : item);</code></example>
public sealed class ConntrackTextReader
{
    private readonly Queue<ConntrackTextItem> _items = [];
    private readonly LineReader _lines;

    /// <summary>Creates a reader of one text.</summary>
    /// <param name="options">Facts that the text lacks, and the kinds of text to read.</param>
    public ConntrackTextReader(ConntrackTextOptions? options = null) => _lines = new LineReader(options ?? new ConntrackTextOptions(), Emit);

    /// <summary>The number of lines added.</summary>
    public long LineCount { get; private set; }

    /// <summary>The number of skipped lines: blank lines, comments, totals.</summary>
    public long SkippedCount { get; private set; }

    /// <summary>The number of objects read.</summary>
    public long RecordCount { get; private set; }

    /// <summary>The number of lines that belong to the object of an earlier line.</summary>
    public long ContinuedCount { get; private set; }

    /// <summary>The number of problems found.</summary>
    public long ProblemCount { get; private set; }

    /// <summary>Adds a line, or several lines separated by line feeds.</summary>
    internal void Add(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        int from = 0;
        for (int end; (end = text.IndexOf('\n', from)) >= 0; from = end + 1)
            AddLine(text[from..end]);
        if (from == 0 || from < text.Length)
            AddLine(text[from..]);
    }

    /// <summary>Marks the end of the text.</summary>
    internal void Complete() => _lines.Complete();

    /// <summary>Returns and removes the items read so far, in the order of lines.</summary>
    internal bool TryTake([NotNullWhen(true)] out ConntrackTextItem? item) => _items.TryDequeue(out item);

    /// <summary>Reads a complete text.</summary>
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
        if (!_lines.Read(line, LineCount))
            SkippedCount++;
    }

    private void Emit(ConntrackTextItem item)
    {
        if (item is ConntrackTextRecord record)
        {
            RecordCount++;
            ContinuedCount += record.LineCount - 1;
        }
        else
        {
            ProblemCount++;
        }

        _items.Enqueue(item);
    }
}

/// <summary>Options for reading a text.</summary>
public sealed record ConntrackTextOptions
{
    /// <summary>The names of label bits; null for this machine's names.</summary>
    public LabelNames? Labels { get; init; }

    /// <summary>When the text was printed. It gives connections a start time if the text has delta-time=. The text itself does not contain
    /// this time.</summary>
    public DateTime? CapturedAt { get; init; }

    /// <summary>When the text was last written. Log lines without a year get the latest year that is possible then. Null for now.</summary>
    public DateTime? WrittenAt { get; init; }

    /// <summary>The only kind of text to read; null for all kinds.</summary>
    public ConntrackTextSource? Source { get; init; }

    /// <summary>True to read lines with hidden addresses, such as <c>src=x.x.x.x</c>. These addresses are null.</summary>
    public bool AllowMasked { get; init; }

    /// <summary>True to return events immediately, for live input. Otherwise each event waits for the next line, which may continue
    /// it.</summary>
    public bool IsLive { get; init; }
}

/// <summary>The kinds of text that can be read.</summary>
public enum ConntrackTextSource
{
    /// <summary>Connections and their events, from conntrack, conntrackd or the kernel.</summary>
    Conntrack,

    /// <summary>Expectations, from conntrack, conntrackd or the kernel.</summary>
    Expectation,

    /// <summary>Counters, from <c>conntrack -S</c> and /proc/net/stat/nf_conntrack.</summary>
    Stat,

    /// <summary>Connections, from <c>ovs-appctl dpctl/dump-conntrack</c>.</summary>
    OpenVSwitch,

    /// <summary>Settings and timeouts, from sysctl(8).</summary>
    Sysctl,
}
