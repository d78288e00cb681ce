using System.Xml;
using ConntrackPS.Conntrack;
using ConntrackPS.Expectations;

namespace ConntrackPS.Text.Reading;

/// <summary>Reads a flow element of <c>conntrack -L expect -o xml</c> or <c>-E expect -o xml</c>.</summary>
/// <remarks>snprintf_expect_xml of libnetfilter_conntrack: expected, mask and master with addresses and ports, then a meta element. Of ICMP
/// it has only the addresses.</remarks>
internal sealed class ExpectationXml(ExpectationDraft draft) : FlowElement
{
    private bool _hasProtocol;

    /// <summary>Reads an element. The element of a connection has the same name, but no element named expected.</summary>
    public TextMatch Read(ReadOnlySpan<char> text, out object? item, out TextFault fault)
    {
        (item, fault) = (null, default);
        if (text is "<expect>" or "</expect>" or "<expect/>")
            return TextMatch.Skipped;
        if (!text.StartsWith("<flow") || !text.Contains("<expected>", StringComparison.Ordinal))
            return TextMatch.None;
        if (!TryParse(text.ToString(), out fault))
            return TextMatch.Faulty;
        item = draft.ToExpectation();
        return TextMatch.Read;
    }

    protected override void Begin() => _hasProtocol = false;

    protected override string? ReadValue(string name, string value) => TryReadValue(name, value) ? null : "a value in its range, given once";

    protected override string? Complete()
    {
        if (!_hasProtocol)
            return "a protocol: <layer4 protonum=\"...\">";
        if (When.HasYear)
        {
            if (!When.TryMakeTime(out DateTime time))
                return "a time in <when>";

            // The timestamp of a table is that of the listing.
            if (draft.EventType is not null)
                draft.EventTime = time;
        }

        bool isIcmp = draft.Protocol is IPProtocol.Icmp or IPProtocol.IcmpV6;
        return draft.Check(mayLackPorts: isIcmp)?.Replace("=", "", StringComparison.Ordinal);
    }

    protected override bool ReadContainer(XmlReader reader)
    {
        switch (reader.Name)
        {
            case "flow":
                draft.EventType = EventText.TypeOfFlow(reader.GetAttribute("type"));
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
                _hasProtocol = TextNumber.TryRead(reader.GetAttribute("protonum"), out byte number);
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
                return TextNumber.TryReadKey(value, out ushort key)
                    && draft.Current.TrySet(name == "srckey" ? TupleParts.SourceKey : TupleParts.DestinationKey, key);
            case "helper-name" when XmlFlowValues.IsOneWord(value):
                draft.Helper = value;
                return true;
            case "sport" or "dport" or "zone":
                return TextNumber.TryRead(value, out uint port) && TrySetNumber(name, port);
            case "timeout" when value.Length == 0 || value.AsSpan(value.StartsWith('-') ? 1 : 0).ContainsAnyExceptInRange('0', '9'):
                return false;
            case "timeout" or "class" or "id" or "wday" when TextNumber.TryRead(value, out uint number):
                return TrySetNumber(name, number);
            default:
                if (WhenElement.IsPart(name))
                    return TextNumber.TryRead(value, out ulong part) && When.TrySet(name, part);
                draft.AddUnknown(name, value);
                return true;
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
