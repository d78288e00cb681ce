using System.Globalization;
using System.Xml;
using ConntrackPS.Conntrack;
using ConntrackPS.Events;
using ConntrackPS.Expectations;

namespace ConntrackPS.Text.Reading;

/// <summary>Reads a flow element of <c>conntrack -L expect -o xml</c> or <c>-E expect -o xml</c>.</summary>
/// <remarks>snprintf_expect_xml of libnetfilter_conntrack: expected, mask and master with addresses and ports, then a meta element. Of ICMP
/// it has only the addresses.</remarks>
internal sealed class ExpectationXml(ExpectationDraft draft)
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

    private static readonly string[] TimeElements = ["year", "month", "day", "hour", "min", "sec"];

    private readonly int[] _time = new int[TimeElements.Length];
    private bool _hasProtocol;

    /// <summary>Reads an element. The element of a connection has the same name, but no element named expected.</summary>
    public TextMatch Read(ReadOnlySpan<char> text, out object? item, out TextFault fault)
    {
        (item, fault) = (null, default);
        if (text is "<expect>" or "</expect>" or "<expect/>")
            return TextMatch.Skipped;
        if (!text.StartsWith("<flow") || !text.Contains("<expected>", StringComparison.Ordinal))
            return TextMatch.None;
        _hasProtocol = false;
        Array.Clear(_time);
        if (!TryParse(text.ToString(), out fault))
            return TextMatch.Faulty;
        item = draft.ToExpectation();
        return TextMatch.Read;
    }

    private bool TryParse(string element, out TextFault fault)
    {
        try
        {
            using XmlReader reader = XmlReader.Create(new StringReader(element), Settings);
            while (!reader.EOF)
            {
                // Reading an element's content moves to the next node.
                if (reader.NodeType != XmlNodeType.Element || IsContainer(reader))
                {
                    reader.Read();
                    continue;
                }

                string name = reader.Name, value = reader.ReadElementContentAsString();
                if (!TryReadValue(name, value))
                    return Fail(out fault, $"<{name}>{value}</{name}>", element, "a value in its range, given once");
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
        return Complete() is not { } expected || Fail(out fault, "", element, expected);
    }

    private static bool Fail(out TextFault fault, string found, string element, string expected)
    {
        fault = new TextFault(found, Math.Max(0, element.IndexOf(found, StringComparison.Ordinal)) + 1, expected, IsBegun: true, IsAtEnd: false);
        return false;
    }

    private string? Complete()
    {
        if (!_hasProtocol)
            return "a protocol: <layer4 protonum=\"...\">";
        if (_time[0] != 0)
        {
            string text = string.Create(CultureInfo.InvariantCulture, $"{_time[0]:0000}-{_time[1]:00}-{_time[2]:00} {_time[3]:00}:{_time[4]:00}:{_time[5]:00}");
            if (!DateTime.TryParseExact(text, "yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture, DateTimeStyles.AssumeLocal, out DateTime time))
                return "a time in <when>";

            // The timestamp of a table is that of the listing.
            if (draft.EventType is not null)
                draft.EventTime = time;
        }

        bool isIcmp = draft.Protocol is IPProtocol.Icmp or IPProtocol.IcmpV6;
        return draft.Check(mayLackPorts: isIcmp)?.Replace("=", "", StringComparison.Ordinal);
    }

    /// <summary>Reads elements that contain others, or nothing. Unknown names and attributes are kept. True for such an element.</summary>
    private bool IsContainer(XmlReader reader)
    {
        switch (reader.Name)
        {
            case "flow":
                draft.EventType = reader.GetAttribute("type") switch
                {
                    "new" => ConntrackEventType.New,
                    "update" => ConntrackEventType.Update,
                    "destroy" => ConntrackEventType.Destroy,
                    _ => null,
                };
                return true;
            case "expected":
                draft.CurrentTuple = ExpectationTuple.Expected;
                return true;
            case "mask":
                draft.CurrentTuple = ExpectationTuple.Mask;
                return true;
            case "master":
                draft.CurrentTuple = ExpectationTuple.Master;
                return true;
            case "layer4":
                _hasProtocol = byte.TryParse(reader.GetAttribute("protonum"), NumberStyles.None, CultureInfo.InvariantCulture, out byte number);
                draft.Protocol = (IPProtocol)number;
                return true;
            case "permanent":
                draft.Flags |= ExpectationFlags.Permanent;
                return true;
            case "inactive":
                draft.Flags |= ExpectationFlags.Inactive;
                return true;
            case "userspace":
                draft.Flags |= ExpectationFlags.Userspace;
                return true;
            default:
                return reader.Name is "layer3" or "meta" or "when";
        }
    }

    private bool TryReadValue(string name, string value)
    {
        switch (name)
        {
            case "src" or "dst":
                return draft.Current.TrySetAddress(name == "src" ? TupleParts.Source : TupleParts.Destination, value);
            case "srckey" or "dstkey":
                return value.StartsWith("0x", StringComparison.Ordinal)
                    && ushort.TryParse(value.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort key)
                    && draft.Current.TrySet(name == "srckey" ? TupleParts.SourceKey : TupleParts.DestinationKey, key);
            case "helper-name" when XmlFlowValues.IsOneWord(value):
                draft.Helper = value;
                return true;
            case "sport" or "dport" or "zone":
                return uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out uint port) && TrySetNumber(name, port);
            case "timeout" when value.Length == 0 || value.AsSpan(value.StartsWith('-') ? 1 : 0).ContainsAnyExceptInRange('0', '9'):
                return false;
            case "timeout" or "class" or "id" or "wday" when uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out uint number):
                return TrySetNumber(name, number);
            default:
                int index = Array.IndexOf(TimeElements, name);
                if (index < 0)
                    draft.AddUnknown(name, value);
                return index < 0 || int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out _time[index]) && _time[index] <= 9999;
        }
    }

    private bool TrySetNumber(string name, uint number)
    {
        switch (name)
        {
            case "sport" or "dport":
                return number <= ushort.MaxValue
                    && draft.Current.TrySet(name == "sport" ? TupleParts.SourcePort : TupleParts.DestinationPort, (ushort)number);
            case "zone":
                draft.Zone = (ushort)number;
                return number <= ushort.MaxValue;
            case "timeout":
                draft.Timeout = number;
                return true;
            case "class":
                draft.Class = number;
                return true;
            case "id":
                draft.Id = number;
                return true;
            default:
                return true;
        }
    }
}
