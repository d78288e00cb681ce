using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace ConntrackPS.Text.Reading;

/// <summary>Decodes the escapes of pages and mails: entities and tags of HTML, quoted-printable.</summary>
internal static class PageText
{
    private const int LongestTag = 256;

    private static readonly SearchValues<char> TagEnds = SearchValues.Create(" />");

    /// <summary>Tags of HTML. Those that conntrack's own XML also has, such as mark and code, count only if they surround a complete
    /// line.</summary>
    private static readonly string[] Tags =
    [
        "pre", "code", "br", "p", "div", "span", "b", "i", "em", "strong", "font", "li", "ul", "ol", "td", "tr", "table", "tbody", "tt", "samp", "kbd",
        "blockquote", "a", "hr", "h1", "h2", "h3", "h4", "body", "html", "details", "summary", "textarea", "noscript", "small", "u",
    ];

    private static readonly (string Name, char Character)[] Entities =
    [
        ("&gt;", '>'), ("&lt;", '<'), ("&amp;", '&'), ("&quot;", '"'), ("&apos;", '\''), ("&nbsp;", ' '), ("&#39;", '\''), ("&#34;", '"'),
        ("&#160;", ' '), ("&#62;", '>'), ("&#60;", '<'), ("&#91;", '['), ("&#93;", ']'), ("&#61;", '='), ("&#x27;", '\''), ("&#x3D;", '='),
        ("&lbrack;", '['), ("&rbrack;", ']'), ("&equals;", '='), ("&Tab;", '\t'), ("&#9;", '\t'),
    ];

    /// <summary>Decodes a line.</summary>
    /// <returns>False if there is nothing to decode.</returns>
    public static bool TryDecode(ReadOnlySpan<char> text, [NotNullWhen(true)] out string? decoded)
    {
        decoded = null;
        if (text.Contains("src=3D", StringComparison.Ordinal) && text.Contains("dst=3D", StringComparison.Ordinal))
            decoded = DecodePrintable(text);
        ReadOnlySpan<char> line = decoded ?? text;
        if (line.Contains('&') && line.Contains(';'))
        {
            string once = DecodeEntities(line);

            // A page may quote another page, so the escapes may be doubled.
            decoded = once.Length == line.Length ? decoded : once.Contains('&', StringComparison.Ordinal) ? DecodeEntities(once) : once;
        }

        line = decoded ?? text;
        if (HasInnerTag(line))
            decoded = WithoutTags(line);
        return decoded is not null;
    }

    /// <summary>The length of the HTML tag that begins at this place; 0 if there is none.</summary>
    public static int TagLength(ReadOnlySpan<char> text)
    {
        if (text.Length < 3 || text[0] != '<')
            return 0;
        ReadOnlySpan<char> rest = text[..Math.Min(text.Length, LongestTag)];
        if (rest.StartsWith("<!--", StringComparison.Ordinal))
            return rest.IndexOf("-->", StringComparison.Ordinal) + 3 is > 3 and var comment ? comment : 0;
        int start = rest[1] == '/' ? 2 : 1;
        int length = rest[start..].IndexOfAny(TagEnds);
        if (length <= 0)
            return 0;
        ReadOnlySpan<char> name = rest.Slice(start, length);
        foreach (string tag in Tags)
        {
            if (name.Equals(tag, StringComparison.OrdinalIgnoreCase))
                return rest.IndexOf('>') + 1;
        }

        return 0;
    }

    /// <summary>The length of the tag that ends at this place.</summary>
    public static int TagBehind(ReadOnlySpan<char> text)
    {
        int start = Math.Max(0, text.Length - LongestTag);
        int open = text[start..].LastIndexOf('<');
        return open >= 0 && TagLength(text[(start + open)..]) is var length && start + open + length == text.Length ? length : 0;
    }

    /// <summary>Removes all tags.</summary>
    public static string WithoutTags(ReadOnlySpan<char> text)
    {
        StringBuilder clean = new(text.Length);
        while (!text.IsEmpty)
        {
            int open = text.IndexOf('<');
            int length = open < 0 ? 0 : TagLength(text[open..]);
            int taken = open < 0 ? text.Length : open + (length == 0 ? 1 : 0);
            clean.Append(text[..taken]);

            // Words of two lines must not become one.
            if (length > 0 && IsLineEnd(text[taken..]))
                clean.Append(' ');
            text = text[(taken + length)..];
        }

        return clean.ToString();
    }

    private static bool IsLineEnd(ReadOnlySpan<char> tag)
    {
        ReadOnlySpan<char> name = tag[(tag[1] == '/' ? 2 : 1)..];
        foreach (string end in (ReadOnlySpan<string>)["br", "p", "li", "tr", "td", "div", "pre"])
        {
            if (name.StartsWith(end, StringComparison.OrdinalIgnoreCase) && name.Length > end.Length && TagEnds.Contains(name[end.Length]))
                return true;
        }

        return false;
    }

    /// <summary>Detects coloured syntax, which has spans between words. XML of conntrack has elements of these names, but no other
    /// words.</summary>
    private static bool HasInnerTag(ReadOnlySpan<char> text) =>
        text.Contains('<') && text.Contains("src=", StringComparison.Ordinal)
        && (text.Contains("</", StringComparison.Ordinal) || text.Contains("<br", StringComparison.OrdinalIgnoreCase));

    private static string DecodeEntities(ReadOnlySpan<char> text)
    {
        StringBuilder decoded = new(text.Length);
        while (!text.IsEmpty)
        {
            int at = text.IndexOf('&');
            decoded.Append(at < 0 ? text : text[..at]);
            if (at < 0)
                break;
            text = text[at..];
            int length = 1;
            char character = '&';
            foreach ((string name, char c) in Entities)
            {
                if (text.StartsWith(name, StringComparison.OrdinalIgnoreCase))
                    (length, character) = (name.Length, c);
            }

            decoded.Append(character);
            text = text[length..];
        }

        return decoded.ToString();
    }

    private static string DecodePrintable(ReadOnlySpan<char> text)
    {
        StringBuilder decoded = new(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '=')
            {
                decoded.Append(text[i]);
            }
            else if (i + 2 < text.Length && byte.TryParse(text.Slice(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte code))
            {
                decoded.Append(code is >= 0x20 and < 0x7F or 9 ? (char)code : ' ');
                i += 2;
            }
            else if (i + 1 < text.Length)
            {
                decoded.Append('=');
            }
        }

        return decoded.ToString();
    }
}

/// <summary>Reads records of logs in JSON: journalctl -o json, Docker's json-file, and similar forms.</summary>
internal static class LogRecord
{
    /// <summary>The maximum length of a log's line.</summary>
    private const int LongestRecord = 64 * 1024;

    private static readonly string[] MessageKeys = ["MESSAGE", "log", "msg", "message", "line", "text", "short_message"];
    private static readonly string[] TimeKeys = ["_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP", "time", "timestamp", "@timestamp", "ts", "date"];

    /// <summary>Reads a record.</summary>
    /// <param name="text">The line.</param>
    /// <param name="reference">The time of reading.</param>
    /// <param name="message">The logged message.</param>
    /// <param name="time">The local time of the message; null if the record has none.</param>
    /// <returns>False if the line is not a record.</returns>
    public static bool TryRead(ReadOnlySpan<char> text, DateTime reference, [NotNullWhen(true)] out string? message, out DateTime? time)
    {
        (message, time) = (null, null);
        if (text.Length is < 2 or > LongestRecord || text[0] != '{' || text[^1] is not ('}' or ','))
            return false;

        // A \t in the text was made a tab.
        byte[] bytes = Encoding.UTF8.GetBytes(text.TrimEnd(',').ToString().Replace('\t', ' '));
        try
        {
            Utf8JsonReader reader = new(bytes);
            string? key = null;
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.PropertyName)
                {
                    key = reader.GetString();
                    continue;
                }

                if (key is not null && Array.IndexOf(MessageKeys, key) >= 0)
                    message ??= reader.TokenType == JsonTokenType.StartArray ? ReadBytes(ref reader) : ReadText(ref reader);
                else if (key is not null && Array.IndexOf(TimeKeys, key) >= 0 && ReadText(ref reader) is { } told)
                    time = LogTime.Read(told, reference, out DateTime? read) > 0 ? time ?? read : time;
                key = null;
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // The line is cut off, or is not JSON.
            return false;
        }

        // A program's output in a record needs the same cleaning as a file.
        message = message is null ? null : LineCleaner.Clean(message);
        return message is not null;
    }

    private static string? ReadText(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.String => reader.GetString(),
        JsonTokenType.Number => Encoding.ASCII.GetString(reader.ValueSpan),
        _ => null,
    };

    /// <summary>Reads text that journald writes as bytes, because it has control characters such as colours.</summary>
    private static string? ReadBytes(ref Utf8JsonReader reader)
    {
        List<byte> bytes = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetByte(out byte value))
                return null;
            bytes.Add(value);
        }

        return Encoding.UTF8.GetString([.. bytes]);
    }
}
