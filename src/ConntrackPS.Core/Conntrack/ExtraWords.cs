using System.Collections.ObjectModel;
using System.Text;

namespace ConntrackPS.Conntrack;

/// <summary>The words of a text that no property holds. As text they are one line, so that a CSV file keeps them:
/// <c>FASTNAT; RTCACHE=o33/r37; nmark=256</c>.</summary>
/// <remarks>A word or value with a semicolon, an equals sign or a quotation mark, or with a blank at an end, is in quotation marks, and a
/// quotation mark in it is doubled.</remarks>
internal sealed class ExtraWords : ReadOnlyDictionary<string, string>
{
    private const string Separator = "; ";

    private ExtraWords(IDictionary<string, string> words)
        : base(words)
    {
    }

    /// <summary>The same words, with this text.</summary>
    public static ExtraWords? Of(IReadOnlyDictionary<string, string>? words) => words switch
    {
        null => null,
        ExtraWords known => known,
        IDictionary<string, string> dictionary => new ExtraWords(dictionary),
        _ => new ExtraWords(words.ToDictionary(StringComparer.Ordinal)),
    };

    /// <summary>Reads what <see cref="ToString"/> has written. Any other text is words too, as far as they go.</summary>
    public static ExtraWords? Parse(string text)
    {
        Dictionary<string, string> words = new(StringComparer.Ordinal);
        for (int at = 0; at < text.Length;)
        {
            string name = ReadPart(text, ref at, "=;");
            string value = "";
            if (at < text.Length && text[at] == '=')
            {
                at++;
                value = ReadPart(text, ref at, ";");
            }

            at++;
            if (name.Length > 0)
                words[name] = value;
        }

        return words.Count == 0 ? null : new ExtraWords(words);
    }

    /// <summary>The words, separated by semicolons.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        foreach ((string name, string value) in this)
        {
            if (text.Length > 0)
                text.Append(Separator);
            AppendPart(text, name);
            if (value.Length == 0)
                continue;
            text.Append('=');
            AppendPart(text, value);
        }

        return text.ToString();
    }

    private static void AppendPart(StringBuilder text, string part)
    {
        bool isPlain = part.AsSpan().IndexOfAny(";=\"") < 0 && part.Length > 0 && part[0] != ' ' && part[^1] != ' ';
        text.Append(isPlain ? part : $"\"{part.Replace("\"", "\"\"", StringComparison.Ordinal)}\"");
    }

    /// <summary>Reads up to one of the ends, which a part in quotation marks may contain.</summary>
    private static string ReadPart(string text, ref int at, string ends)
    {
        while (at < text.Length && text[at] == ' ')
            at++;
        StringBuilder part = new();
        if (at < text.Length && text[at] == '"')
        {
            for (at++; at < text.Length; at++)
            {
                if (text[at] == '"' && (++at >= text.Length || text[at] != '"'))
                    break;
                part.Append(text[at]);
            }

            // What follows the closing mark belongs to no word.
            while (at < text.Length && !ends.Contains(text[at], StringComparison.Ordinal))
                at++;
            return part.ToString();
        }

        while (at < text.Length && !ends.Contains(text[at], StringComparison.Ordinal))
            part.Append(text[at++]);
        return part.ToString().Trim();
    }
}
