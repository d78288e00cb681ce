using System.Text;

namespace ConntrackPS.Tuning.Persistence;

/// <summary>The lines of a small text file, each with its end, so that what nobody changes stays byte for byte.</summary>
/// <remarks>A line ends at a line feed and nowhere else: a carriage return before it belongs to the line's end, any other to
/// the line. Latin-1 keeps every byte of other people's comments, whatever their encoding.</remarks>
internal sealed class ConfigText(IReadOnlyList<string> lines)
{
    private static readonly char[] Ends = ['\r', '\n'];

    /// <summary>The lines with their ends; only the last may have none.</summary>
    public IReadOnlyList<string> Lines { get; } = lines;

    /// <summary>The end that new lines get: that of the first line.</summary>
    public string LineEnd => Lines is [string first, ..] && first.EndsWith("\r\n", StringComparison.Ordinal) ? "\r\n" : "\n";

    /// <summary>Reads a file's bytes; none have no lines.</summary>
    public static ConfigText Parse(byte[]? bytes)
    {
        string text = Encoding.Latin1.GetString(bytes ?? []);
        List<string> lines = [];
        for (int start = 0, end; start < text.Length; start = end)
        {
            end = text.IndexOf('\n', start) + 1;
            end = end == 0 ? text.Length : end;
            lines.Add(text[start..end]);
        }

        return new ConfigText(lines);
    }

    /// <summary>A line without its end.</summary>
    public static string Content(string line) => line.TrimEnd(Ends);

    /// <summary>The text with other lines; those without an end get one, but the last if it had none before.</summary>
    public ConfigText With(IEnumerable<string> lines)
    {
        string[] all = [.. lines];
        string? last = Lines is [.., string line] && !line.EndsWith('\n') ? line : null;
        return new ConfigText([.. all.Select((text, number) =>
            text.EndsWith('\n') || (number == all.Length - 1 && ReferenceEquals(text, last)) ? text : text + LineEnd)]);
    }

    /// <summary>The file's bytes.</summary>
    public byte[] ToBytes() => Encoding.Latin1.GetBytes(string.Concat(Lines));
}
