using System.Globalization;
using System.Xml;
using ConntrackPS.Conntrack;
using ConntrackPS.Events;

namespace ConntrackPS.Text;

/// <summary>Reads a flow element of <c>conntrack -o xml</c>.</summary>
/// <remarks>__snprintf_conntrack_xml of libnetfilter_conntrack: three meta elements, for the original direction, the reply and
/// what belongs to both. It says nothing of ICMP but the addresses.</remarks>
internal sealed class XmlFlowParser(EntryDraft draft, TextContext context)
{
    /// <summary>What a message shows of malformed XML.</summary>
    private const int FoundLength = 24;

    private static readonly XmlReaderSettings Settings = new()
    {
        DtdProcessing = DtdProcessing.Prohibit,
        XmlResolver = null,
        ConformanceLevel = ConformanceLevel.Fragment,
        IgnoreComments = true,
        IgnoreWhitespace = true,
    };

    private readonly XmlFlowValues _values = new(draft, context);
    private bool _hasProtocol;

    public bool TryParse(string element, out TextFault fault)
    {
        _values.Begin();
        _hasProtocol = false;
        draft.SetStatus(ConntrackStatus.SeenReply);
        try
        {
            using XmlReader reader = XmlReader.Create(new StringReader(element), Settings);
            while (!reader.EOF)
            {
                // Reading an element's content moves on to what follows it.
                if (reader.NodeType != XmlNodeType.Element || IsContainer(reader))
                {
                    reader.Read();
                    continue;
                }

                string name = reader.Name, value = reader.ReadElementContentAsString();
                if (_values.Read(name, value) is { } expected)
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
        return Complete() is not { } expectedLast || Fail(out fault, "", element, expectedLast);
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
        if (_values.Complete() is { } wrong)
            return wrong;
        TupleParts needed = draft.Protocol is IPProtocol.Icmp or IPProtocol.IcmpV6
            ? TupleParts.None
            : ProtocolText.NeededParts(draft.Protocol, draft.Original.Parts);
        if (draft.Complete(needed, context) is { } missing)
            return missing.Replace("=", "", StringComparison.Ordinal);
        draft.DeriveNat();
        return null;
    }

    /// <summary>True for elements that hold others, or nothing; what their attributes say is noted.</summary>
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
            case "meta":
                string? direction = reader.GetAttribute("direction");
                _values.IsIndependent = direction is not ("original" or "reply");
                if (direction is "reply")
                    draft.BeginReply();
                else if (direction is "original")
                    draft.BeginOriginal();
                return true;
            case "layer4":
                if (byte.TryParse(reader.GetAttribute("protonum"), NumberStyles.None, CultureInfo.InvariantCulture, out byte number))
                    (draft.Protocol, _hasProtocol) = ((IPProtocol)number, true);
                return true;
            case "assured":
                draft.SetStatus(ConntrackStatus.Assured);
                return true;
            case "unreplied":
                draft.Entry.Status &= ~ConntrackStatus.SeenReply;
                return true;
            default:
                return reader.Name is "layer3" or "counters" or "timestamp" or "labels" or "when";
        }
    }
}
