using System.Text;
using ConntrackPS.Linux;

namespace ConntrackPS.Diagnosis.History;

/// <summary>Appends records to a history, and begins a new file when the old one is large.</summary>
/// <remarks>Each record opens, locks and closes the file. So several programs may write to one history, and a file that was moved or
/// deleted begins again.</remarks>
/// <param name="path">The full path of the file.</param>
internal sealed class HistoryWriter(string path)
{
    /// <summary>The limits of <see cref="Keep"/>.</summary>
    public const int LeastKept = 1, MostKept = 1000;

    /// <summary>The lowest <see cref="MaximumSize"/>.</summary>
    public const long LeastSize = 1024;

    private const int LookedAt = 4096;

    /// <summary>The size in bytes from which the file is put aside before the next record.</summary>
    public long MaximumSize { get; init; } = 10 << 20;

    /// <summary>The number of files to keep beside the one that is written.</summary>
    public int Keep { get; init; } = 9;

    /// <summary>The number of cut lines that were ended so far, so that the next one starts on its own line.</summary>
    public int Repaired { get; private set; }

    /// <summary>The number of files put aside so far.</summary>
    public int Rotated { get; private set; }

    /// <summary>Appends a record.</summary>
    /// <returns>The record with its number.</returns>
    /// <exception cref="IOException">Nothing was written: the disk is full or broken, the folder does not exist, or the file is of another
    /// kind.</exception>
    /// <exception cref="UnauthorizedAccessException">Nothing was written: the caller may not write the file.</exception>
    public ConntrackHistoryRecord Append(ConntrackHistoryRecord record)
    {
        while (true)
        {
            using AppendFile file = AppendFile.Open(path);
            if (HistoryHead.IsToReplace(file))
                file.Empty();
            bool isNew = file.Length == 0;
            byte[] tail = isNew ? file.ReadTailOfPrevious(HistoryFormat.LongestLine) : file.ReadTail(HistoryFormat.LongestLine);
            ConntrackHistoryRecord numbered = record.Numbered(HistoryTail.LastSequence(tail) + 1 ?? 1);
            bool isCut = !isNew && tail[^1] != (byte)'\n';
            byte[] line = Encoding.UTF8.GetBytes((isNew ? HistoryFormat.Head : isCut ? "\n" : "") + HistoryFormat.Write(numbered) + "\n");
            if (isNew || (!HistoryHead.IsOfAnotherVersion(file) && file.Length + line.Length <= MaximumSize))
            {
                file.Append(line);
                Repaired += isCut ? 1 : 0;
                return numbered;
            }

            file.Rotate(Keep);
            Rotated++;
        }
    }

    /// <summary>The first line of an existing file.</summary>
    private static class HistoryHead
    {
        /// <summary>True for a file with only a part of the first lines, as a crash may leave it.</summary>
        /// <exception cref="UnusableFileException">It is a file of another kind.</exception>
        public static bool IsToReplace(AppendFile file)
        {
            byte[] head = file.ReadHead(LookedAt);
            string text = Encoding.UTF8.GetString(head);
            if (text.Length < HistoryFormat.Head.Length && HistoryFormat.Head.StartsWith(text, StringComparison.Ordinal))
                return true;
            if (text.StartsWith(HistoryFormat.Title, StringComparison.Ordinal) || IsBlank(head))
                return false;
            throw HistoryReader.OfAnotherKind(file.Path, text);
        }

        /// <summary>True if the lines have other columns, so that a new file must begin. After a power failure a file can be all NUL.</summary>
        public static bool IsOfAnotherVersion(AppendFile file) =>
            !Encoding.UTF8.GetString(file.ReadHead(LookedAt)).StartsWith(HistoryFormat.Head, StringComparison.Ordinal);

        private static bool IsBlank(byte[] head) => head.AsSpan().IndexOfAnyExcept((byte)0) < 0;
    }
}

/// <summary>The end of a history.</summary>
internal static class HistoryTail
{
    /// <summary>The number of the last whole record.</summary>
    /// <param name="tail">The last bytes of the file.</param>
    /// <returns>Null if there is none.</returns>
    public static long? LastSequence(byte[] tail)
    {
        string[] lines = Encoding.UTF8.GetString(tail).Split('\n');
        for (int i = lines.Length - 1; i >= 0; i--)
        {
            // A name with line feeds makes one record of several lines.
            string text = "";
            for (int first = i; first >= 0 && first > i - HistoryReader.MostLines; first--)
            {
                text = first == i ? lines[i] : lines[first] + "\n" + text;
                if (HistoryFormat.Read(text) is { } record)
                    return record.Sequence;
            }
        }

        return null;
    }
}
