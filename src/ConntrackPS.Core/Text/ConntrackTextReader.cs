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
    private readonly LineReader _lines;

    /// <summary>A reader of one text.</summary>
    /// <param name="options">What the text doesn't tell by itself, and what to read of it.</param>
    public ConntrackTextReader(ConntrackTextOptions? options = null) => _lines = new LineReader(options ?? new ConntrackTextOptions(), Emit);

    /// <summary>Lines added.</summary>
    public long LineCount { get; private set; }

    /// <summary>Lines passed over: blank ones, comments, totals.</summary>
    public long SkippedCount { get; private set; }

    /// <summary>Objects read.</summary>
    public long RecordCount { get; private set; }

    /// <summary>Lines that belong to the object of a line before.</summary>
    public long ContinuedCount { get; private set; }

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
    internal void Complete() => _lines.Complete();

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

/// <summary>How a text is read.</summary>
public sealed record ConntrackTextOptions
{
    /// <summary>The names of label bits; null for this machine's.</summary>
    public LabelNames? Labels { get; init; }

    /// <summary>When the text was printed. Connections then have a start time where the text has delta-time=; without it they don't, for the
    /// text doesn't tell.</summary>
    public DateTime? CapturedAt { get; init; }

    /// <summary>When the text was last written to, which gives log lines without a year the latest possible one; null for now.</summary>
    public DateTime? WrittenAt { get; init; }

    /// <summary>The one kind of text to read; null for any.</summary>
    public ConntrackTextSource? Source { get; init; }

    /// <summary>True to read lines whose addresses are hidden, such as <c>src=x.x.x.x</c>. These addresses are null.</summary>
    public bool AllowMasked { get; init; }

    /// <summary>True to return events at once, as they may come live. Otherwise each waits for the next line, which may continue it.</summary>
    public bool IsLive { get; init; }
}

/// <summary>The kinds of text that can be read.</summary>
public enum ConntrackTextSource
{
    /// <summary>Connections and their events, by conntrack, conntrackd or the kernel.</summary>
    Conntrack,

    /// <summary>Expectations, by conntrack, conntrackd or the kernel.</summary>
    Expectation,

    /// <summary>Counters: <c>conntrack -S</c> and /proc/net/stat/nf_conntrack.</summary>
    Stat,

    /// <summary>Connections by <c>ovs-appctl dpctl/dump-conntrack</c>.</summary>
    OpenVSwitch,

    /// <summary>Settings and timeouts, by sysctl(8).</summary>
    Sysctl,
}
