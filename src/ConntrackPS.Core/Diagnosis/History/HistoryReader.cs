using System.Globalization;
using ConntrackPS.Linux;

namespace ConntrackPS.Diagnosis.History;

/// <summary>Reads a history and the files that were put aside, the oldest first, one record at a time.</summary>
/// <param name="path">The path of the file that is written now.</param>
internal sealed class HistoryReader(string path)
{
    /// <summary>The maximum number of lines of one record. Only a name with line feeds has several.</summary>
    public const int MostLines = 32;

    private readonly HistoryRates _rates = new();

    /// <summary>The number of lines that could not be read.</summary>
    public long Damaged { get; private set; }

    /// <summary>The first of them: its file and its number, from 1. Null if there is none.</summary>
    public (string File, long Line)? FirstDamaged { get; private set; }

    /// <summary>The number of records read so far.</summary>
    public long Count { get; private set; }

    /// <summary>Reads all records.</summary>
    /// <param name="isStopped">True to end the reading.</param>
    /// <exception cref="IOException">There is no such file, or it is of another kind.</exception>
    /// <exception cref="UnauthorizedAccessException">The caller may not read a file.</exception>
    public IEnumerable<ConntrackHistoryRecord> Read(Func<bool> isStopped)
    {
        using HistoryFiles files = HistoryFiles.Open(path, isStopped);
        foreach ((string name, HistoryLines lines) in files.OldestFirst)
        {
            foreach (ConntrackHistoryRecord record in ReadFile(name, lines))
            {
                if (isStopped())
                    yield break;
                Count++;
                yield return _rates.Complete(record);
            }
        }
    }

    /// <summary>The exception for a file that is no history.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="head">Its first characters.</param>
    internal static UnusableFileException OfAnotherKind(string path, string head)
    {
        string line = string.Concat(head.Split('\n')[0].Take(40).Select(letter => char.IsControl(letter) || letter == '\ufffd' ? '?' : letter));
        return new UnusableFileException(path, $"is not a history: it begins with '{line}', and a history begins with '{HistoryFormat.FirstLine}'");
    }

    private IEnumerable<ConntrackHistoryRecord> ReadFile(string name, HistoryLines lines)
    {
        string? first = lines.Next();
        if (first is null || (first.Length > 0 && first != HistoryFormat.FirstLine && HistoryFormat.FirstLine.StartsWith(first, StringComparison.Ordinal)))
        {
            // Empty, or cut in its first line.
            yield break;
        }

        if (first.Length > 0 && first.All(letter => letter == '\0'))
        {
            // What a power failure can leave of a file.
            Note(name, 1);
        }
        else if (first != HistoryFormat.FirstLine)
        {
            throw first.StartsWith(HistoryFormat.Title, StringComparison.Ordinal)
                ? new UnusableFileException(name, $"has another format than this program knows: '{first}'")
                : OfAnotherKind(name, first);
        }

        string? columns = lines.Next();
        if (columns is not null && columns != HistoryFormat.ColumnLine && !HistoryFormat.ColumnLine.StartsWith(columns, StringComparison.Ordinal))
            Note(name, lines.Number);
        while (lines.Next() is { } line)
        {
            long number = lines.Number;
            if (ReadRecord(line, lines) is { } record)
                yield return record;
            else
                Note(name, number);
        }
    }

    /// <summary>Reads a record of one line, or of several if a name has line feeds. If the first line was cut inside quotation marks, the
    /// lines after it are records of their own.</summary>
    private static ConntrackHistoryRecord? ReadRecord(string line, HistoryLines lines)
    {
        if (HistoryFormat.Read(line) is { } plain)
            return plain;
        if (!CsvLine.IsOpen(line))
            return null;
        List<string> more = [];
        string text = line;
        while (more.Count < MostLines - 1 && text.Length < HistoryFormat.LongestLine && lines.Next() is { } next)
        {
            more.Add(next);
            text += "\n" + next;
            if (HistoryFormat.Read(text) is { } record)
                return record;
        }

        lines.PutBack(more);
        return null;
    }

    private void Note(string file, long line)
    {
        Damaged++;
        FirstDamaged ??= (file, line);
    }
}

/// <summary>Computes the changes from one record to the next of the same network namespace.</summary>
internal sealed class HistoryRates
{
    private readonly Dictionary<string, ConntrackHistoryRecord> _previous = new(StringComparer.Ordinal);

    /// <summary>The record with its changes. Call it in the order of the records.</summary>
    public ConntrackHistoryRecord Complete(ConntrackHistoryRecord record)
    {
        string name = record.Namespace ?? "";
        ConntrackHistoryRecord complete = _previous.TryGetValue(name, out ConntrackHistoryRecord? previous) ? record.After(previous) : record;
        _previous[name] = record;
        return complete;
    }
}

/// <summary>The open files of a history. They stay readable if a writer renames them meanwhile.</summary>
internal sealed class HistoryFiles : IDisposable
{
    private readonly List<(string Name, HistoryLines Lines)> _newestFirst = [];

    /// <summary>The files with their lines, the oldest file first.</summary>
    public IEnumerable<(string Name, HistoryLines Lines)> OldestFirst => Enumerable.Reverse(_newestFirst);

    /// <summary>Opens the file and those that were put aside.</summary>
    /// <exception cref="IOException">There is none, or one can't be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">The caller may not read a file.</exception>
    public static HistoryFiles Open(string path, Func<bool> isStopped)
    {
        HistoryFiles files = new();
        try
        {
            HashSet<object> seen = [];

            // From the newest to the oldest: a file that is put aside meanwhile is found twice, and never missed.
            for (int number = 0; number <= HistoryWriter.MostKept; number++)
            {
                string name = number == 0 ? path : string.Create(CultureInfo.InvariantCulture, $"{path}.{number}");
                if (!Exists(name))
                    continue;
                Stream stream = Platform.IsLinux ? NamedFile.Open(name, isStopped) : File.OpenRead(name);
                if (seen.Add(stream is NamedFile named ? named.Identity : name))
                    files._newestFirst.Add((name, new HistoryLines(stream)));
                else
                    stream.Dispose();
            }
        }
        catch
        {
            files.Dispose();
            throw;
        }

        return files._newestFirst.Count > 0 ? files : throw new FileNotFoundException($"There is no history {path}");
    }

    public void Dispose() => _newestFirst.ForEach(file => file.Lines.Dispose());

    private static bool Exists(string name) => File.Exists(name) || Directory.Exists(name);
}
