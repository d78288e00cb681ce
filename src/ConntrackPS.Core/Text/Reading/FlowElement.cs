using System.Globalization;
using System.Xml;

namespace ConntrackPS.Text.Reading;

/// <summary>Reads a flow element of conntrack's XML, of a connection or of an expectation.</summary>
internal abstract class FlowElement
{
    /// <summary>The part of malformed XML that a message shows.</summary>
    private const int FoundLength = 24;

    private static readonly XmlReaderSettings Settings = new()
    {
        DtdProcessing = DtdProcessing.Prohibit,
        XmlResolver = null,
        ConformanceLevel = ConformanceLevel.Fragment,
        IgnoreComments = true,
        IgnoreWhitespace = true,
    };

    /// <summary>The time of an event, from its <c>when</c> element.</summary>
    protected WhenElement When { get; } = new();

    /// <summary>An attribute that contradicts another one, and the expected form; null if there is none.</summary>
    protected (string Found, string Expected)? Contradiction { get; set; }

    /// <summary>Reads all of the element.</summary>
    public bool TryParse(string element, out TextFault fault)
    {
        Begin();
        Contradiction = null;
        When.Clear();
        try
        {
            using XmlReader reader = XmlReader.Create(new StringReader(element), Settings);
            while (!reader.EOF)
            {
                // Reading an element's content moves to the next node.
                if (reader.NodeType != XmlNodeType.Element || ReadContainer(reader))
                {
                    if (Contradiction is { } wrong)
                        return Fail(out fault, wrong.Found, element, wrong.Expected);
                    reader.Read();
                    continue;
                }

                string name = reader.Name, value = reader.ReadElementContentAsString();
                if (ReadValue(name, value) is { } expected)
                    return Fail(out fault, $"<{name}>{value}</{name}>", element, expected);
            }
        }
        catch (XmlException exception)
        {
            int at = exception.LineNumber == 1 ? Math.Clamp(exception.LinePosition - 1, 0, element.Length) : 0;
            string found = element.Substring(at, Math.Min(FoundLength, element.Length - at));
            fault = new TextFault(found, at + 1, $"well-formed XML ({exception.Message.TrimEnd('.')})", IsBegun: true, IsAtEnd: false);
            return false;
        }

        fault = default;
        return Complete() is not { } missing || Fail(out fault, "", element, missing);
    }

    /// <summary>Forgets the element before.</summary>
    protected abstract void Begin();

    /// <summary>Reads an element that contains others, or nothing. Unknown attributes are kept.</summary>
    /// <returns>False for an element that contains text.</returns>
    protected abstract bool ReadContainer(XmlReader reader);

    /// <summary>Reads an element that contains text.</summary>
    /// <returns>The expected form; null if the element was read.</returns>
    protected abstract string? ReadValue(string name, string value);

    /// <summary>Checks the whole, after its last element.</summary>
    /// <returns>The expected form; null if nothing is missing.</returns>
    protected abstract string? Complete();

    private static bool Fail(out TextFault fault, string found, string element, string expected)
    {
        fault = new TextFault(found, Math.Max(0, element.IndexOf(found, StringComparison.Ordinal)) + 1, expected, IsBegun: true, IsAtEnd: false);
        return false;
    }
}

/// <summary>The parts of a local time, from the <c>when</c> element.</summary>
/// <remarks>__snprintf_localtime_xml of libnetfilter_conntrack.</remarks>
internal sealed class WhenElement
{
    private const int Maximum = 9999;

    private static readonly string[] Names = ["year", "month", "day", "hour", "min", "sec"];

    private readonly int[] _parts = new int[Names.Length];
    private int _given;

    /// <summary>True if there was no part.</summary>
    public bool IsEmpty => _given == 0;

    /// <summary>True if no part is missing.</summary>
    public bool IsWhole => _given == (1 << Names.Length) - 1;

    /// <summary>True after a year, without which the other parts have no meaning.</summary>
    public bool HasYear => _parts[0] != 0;

    public static bool IsPart(string name) => Array.IndexOf(Names, name) >= 0;

    public void Clear()
    {
        _given = 0;
        Array.Clear(_parts);
    }

    /// <summary>True if the part was given before, with another number.</summary>
    public bool Contradicts(string name, ulong number)
    {
        int index = Array.IndexOf(Names, name);
        return (_given & (1 << index)) != 0 && (ulong)_parts[index] != number;
    }

    /// <summary>Sets a part.</summary>
    /// <returns>False for a number out of range.</returns>
    public bool TrySet(string name, ulong number)
    {
        int index = Array.IndexOf(Names, name);
        (_parts[index], _given) = ((int)Math.Min(number, Maximum), _given | (1 << index));
        return number <= Maximum;
    }

    public bool TryMakeTime(out DateTime time)
    {
        string text = string.Create(CultureInfo.InvariantCulture, $"{_parts[0]:0000}-{_parts[1]:00}-{_parts[2]:00} {_parts[3]:00}:{_parts[4]:00}:{_parts[5]:00}");
        return DateTime.TryParseExact(text, "yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture, DateTimeStyles.AssumeLocal, out time);
    }

    /// <summary>The numbers, from the year to the second.</summary>
    public override string ToString() => string.Join(' ', _parts);
}
