using System.Globalization;
using System.Xml;
using ConntrackPS.Conntrack;
using ConntrackPS.Events;

namespace ConntrackPS.Text.Reading;

/// <summary>Reads a flow element of <c>conntrack -o xml</c>.</summary>
/// <remarks>__snprintf_conntrack_xml of libnetfilter_conntrack: three meta elements, for the original direction, the reply, and values of
/// both. Of ICMP it has only the addresses.</remarks>
internal sealed class XmlFlowParser(EntryDraft draft, TextContext context)
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

    private readonly XmlFlowValues _values = new(draft, context);
    private bool _hasProtocol;
    private bool _isUnreplied;
    private string? _contradiction;

    public bool TryParse(string element, out TextFault fault)
    {
        _values.Begin();
        (_hasProtocol, _isUnreplied, _contradiction) = (false, false, null);
        try
        {
            using XmlReader reader = XmlReader.Create(new StringReader(element), Settings);
            while (!reader.EOF)
            {
                // Reading an element's content moves to the next node.
                if (reader.NodeType != XmlNodeType.Element || IsContainer(reader))
                {
                    if (_contradiction is { } wrong)
                        return Fail(out fault, wrong, element, "the name and the number of one protocol");
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

        // Where what belongs to both directions is cut off, nothing is known of it.
        if (_values.HasIndependent)
        {
            draft.CompleteMark();
            if (!_isUnreplied)
                draft.SetStatus(ConntrackStatus.SeenReply);
        }

        draft.DeriveNat();
        return null;
    }

    /// <summary>Reads the protocol: its number or, if a program left that out, its name. Each direction names it.</summary>
    private void ReadProtocol(string? number, string? name)
    {
        IPProtocol? named = ProtocolNames.TryParsePrinted(name, out IPProtocol? known) ? known : null;
        IPProtocol? read = byte.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out byte value)
            ? (IPProtocol)value
            : number is null ? named : null;
        if (read is not { } protocol)
            return;
        if ((_hasProtocol && draft.Protocol != protocol) || (named is not null && named != protocol))
            _contradiction = number is null ? $"protoname=\"{name}\"" : $"protonum=\"{number}\"";
        (draft.Protocol, _hasProtocol) = (protocol, true);
    }

    /// <summary>Reads elements that contain others, or nothing. Unknown attributes are kept. True for such an element.</summary>
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
                _values.HasIndependent |= _values.IsIndependent;
                if (direction is "reply")
                    draft.BeginReply();
                else if (direction is "original")
                    draft.BeginOriginal();
                return true;
            case "layer4":
                ReadProtocol(reader.GetAttribute("protonum"), reader.GetAttribute("protoname"));
                return true;
            case "assured":
                draft.SetStatus(ConntrackStatus.Assured);
                return true;
            case "unreplied":
                _isUnreplied = true;
                return true;
            default:
                return reader.Name is "layer3" or "counters" or "timestamp" or "labels" or "when";
        }
    }
}

/// <summary>The text elements of <c>conntrack -o xml</c>. Each sets a value of the draft.</summary>
internal sealed class XmlFlowValues(EntryDraft draft, TextContext context)
{
    private static readonly string[] TimeElements = ["year", "month", "day", "hour", "min", "sec"];

    private readonly int[] _time = new int[TimeElements.Length];
    private string? _state;
    private int _timeParts;

    /// <summary>True inside the element for values of both directions.</summary>
    public bool IsIndependent { get; set; }

    /// <summary>True once there was such an element.</summary>
    public bool HasIndependent { get; set; }

    public void Begin()
    {
        (IsIndependent, HasIndependent, _state, _timeParts) = (false, false, null, 0);
        Array.Clear(_time);
    }

    /// <summary>Reads the state, which needs the protocol, and the time of an event.</summary>
    /// <returns>The expected form; null if they were read.</returns>
    public string? Complete()
    {
        if (_state is not null && !TrySetState(_state))
            draft.AddExtra("state", _state);
        if (_timeParts == 0)
            return null;
        if (_timeParts == (1 << TimeElements.Length) - 1 && TryMakeTime(out DateTime time))
            draft.EventTime = time;
        else
            draft.AddExtra("when", string.Join(' ', _time));
        return null;
    }

    /// <summary>Reads an element that contains text.</summary>
    /// <returns>The expected form; null if the element was read.</returns>
    public string? Read(string name, string value)
    {
        switch (name)
        {
            case "src":
                return ReadAddress(TupleParts.Source, value);
            case "dst":
                return ReadAddress(TupleParts.Destination, value);
            case "state":
                _state = value;
                return null;
            case "label":
                draft.AddLabel(value, context.Labels);
                return null;
            case "helper" when IsOneWord(value) && draft.SetHelper(value):
            case "secctx" when IsOneWord(value) && draft.SetSecurityContext(value):
                return null;
            case "srckey" or "dstkey":
                return ReadKey(name, value);
            default:
                if (!IsNumber(name))
                {
                    draft.AddExtra(name, value);
                    return null;
                }

                if (ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) && TrySet(name, number))
                    return null;
                if (name is "sport" or "dport" or "zone")
                    return "a number in its range, given once";
                draft.AddExtra(name, value);
                return null;
        }
    }

    /// <summary>Names have neither blanks nor =, which attributes of a damaged element have.</summary>
    public static bool IsOneWord(string value) => value.Length > 0 && !value.AsSpan().ContainsAny(" \t=\"");

    private string? ReadAddress(TupleParts part, string value)
    {
        if (draft.Current.TrySetAddress(part, value))
            return null;
        if (!AddressText.IsMasked(value, out _) || (context.AllowMasked && !draft.Current.TryHide(part)))
            return "an IPv4 or IPv6 address, once in each direction";
        if (!context.AllowMasked)
            return TextFault.MaskedAddress;
        draft.AddKnownExtra(part == TupleParts.Source ? "src" : "dst", value);
        return null;
    }

    private string? ReadKey(string name, string value) =>
        value.StartsWith("0x", StringComparison.Ordinal)
        && ushort.TryParse(value.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort key)
        && draft.Current.TrySet(name == "srckey" ? TupleParts.SourceKey : TupleParts.DestinationKey, key)
            ? null
            : "a key from 0x0 to 0xffff, once in each direction";

    private static bool IsNumber(string name) => name is "sport" or "dport" or "zone" or "packets" or "bytes" or "timeout" or "mark"
        or "secmark" or "use" or "id" or "start" or "stop" or "deltatime" or "hour" or "min" or "sec" or "wday" or "day" or "month" or "year";

    private bool TrySet(string name, ulong number)
    {
        switch (name)
        {
            case "sport" or "dport":
                return number <= ushort.MaxValue
                    && draft.Current.TrySet(name == "sport" ? TupleParts.SourcePort : TupleParts.DestinationPort, (ushort)number);
            case "zone":
                return number <= ushort.MaxValue && SetZone((ushort)number);
            case "packets":
                return draft.SetPackets(number);
            case "bytes":
                return draft.SetBytes(number);
            case "start":
                return draft.SetStart(number);
            case "stop":
                return draft.SetStop(number);
            case "deltatime":
                return draft.SetAge(number);
            case "timeout" or "mark" or "secmark" or "use" or "id":
                return number <= uint.MaxValue && SetNumber(name, (uint)number);
            default:
                return TrySetTime(name, number);
        }
    }

    private bool SetZone(ushort zone) => IsIndependent ? draft.SetZone(zone)
        : draft.Direction == TupleDirection.Reply ? draft.SetReplyZone(zone)
        : draft.SetOriginalZone(zone);

    private bool SetNumber(string name, uint number) => name switch
    {
        "timeout" => draft.SetTimeout(number),
        "mark" => draft.SetMark(number),
        "secmark" => draft.SetSecmark(number),
        "use" => draft.SetUseCount(number),
        _ => draft.SetId(number),
    };

    private bool TrySetTime(string name, ulong number)
    {
        int index = Array.IndexOf(TimeElements, name);
        if (index >= 0)
        {
            if ((_timeParts & (1 << index)) != 0 && _time[index] != (int)number)
                return false;
            (_time[index], _timeParts) = ((int)Math.Min(number, 9999), _timeParts | (1 << index));
        }

        return number <= 9999;
    }

    /// <remarks>libnetfilter_conntrack prints SCTP's states under the names that TCP has for the same numbers.</remarks>
    private bool TrySetState(string name)
    {
        if (draft.Protocol == IPProtocol.Sctp && StateNames.TryParse(name, IPProtocol.Tcp, out ConntrackState alias)
            && ConntrackStates.ToKernel(IPProtocol.Tcp, alias) is { } number)
            draft.SetState(ConntrackStates.FromKernel(IPProtocol.Sctp, number));
        else if (StateNames.TryParse(name, draft.Protocol, out ConntrackState state))
            draft.SetState(state);
        else
            return false;
        return true;
    }

    private bool TryMakeTime(out DateTime time)
    {
        string text = string.Create(CultureInfo.InvariantCulture, $"{_time[0]:0000}-{_time[1]:00}-{_time[2]:00} {_time[3]:00}:{_time[4]:00}:{_time[5]:00}");
        return DateTime.TryParseExact(text, "yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture, DateTimeStyles.AssumeLocal, out time);
    }
}
