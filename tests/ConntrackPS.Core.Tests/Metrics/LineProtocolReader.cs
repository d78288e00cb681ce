using System.Globalization;
using System.Text;

namespace ConntrackPS.Tests.Metrics;

/// <summary>A line of the line protocol of InfluxDB.</summary>
internal sealed record ProtocolLine(string Measurement, IReadOnlyDictionary<string, string> Tags, IReadOnlyDictionary<string, object> Fields, long Nanoseconds);

/// <summary>A strict reader of the line protocol, written from its specification. Fields are long or double.</summary>
internal static class LineProtocolReader
{
    public static ProtocolLine Read(string line)
    {
        int place = 0;
        string measurement = Token(line, ref place, ", ");
        SortedDictionary<string, string> tags = new(StringComparer.Ordinal);
        while (line[place] == ',')
        {
            place++;
            string name = Token(line, ref place, ",= ");
            Check(line[place++] == '=', line);
            string value = Token(line, ref place, ",= ");
            Check(name.Length > 0 && value.Length > 0 && tags.TryAdd(name, value), line);
        }

        Check(line[place++] == ' ', line);
        string[] rest = line[place..].Split(' ');
        Check(rest.Length == 2, line);
        SortedDictionary<string, object> fields = new(StringComparer.Ordinal);
        foreach (string field in rest[0].Split(','))
        {
            string[] pair = field.Split('=');
            Check(pair.Length == 2 && fields.TryAdd(pair[0], Number(pair[1])), line);
        }

        return new ProtocolLine(measurement, tags, fields, long.Parse(rest[1], NumberStyles.None, CultureInfo.InvariantCulture));
    }

    private static object Number(string text) => text.EndsWith('i')
        ? (object)long.Parse(text[..^1], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture)
        : double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);

    private static string Token(string line, ref int place, string ends)
    {
        StringBuilder text = new();
        for (; !ends.Contains(line[place], StringComparison.Ordinal); place++)
        {
            if (line[place] == '\\' && (line[place + 1] is ',' or '=' or ' '))
                place++;
            _ = text.Append(line[place]);
        }

        return text.ToString();
    }

    private static void Check(bool isRight, string line)
    {
        if (!isRight)
            throw new FormatException($"not line protocol: {line}");
    }
}
