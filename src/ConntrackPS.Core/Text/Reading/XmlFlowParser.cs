using System.Xml;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Text.Reading;

/// <summary>Reads a flow element of <c>conntrack -o xml</c>.</summary>
/// <remarks>__snprintf_conntrack_xml of libnetfilter_conntrack: three meta elements, for the original direction, the reply, and values of
/// both. Of ICMP it has only the addresses.</remarks>
internal sealed class XmlFlowParser(EntryDraft draft, TextContext context) : FlowElement
{
    private readonly XmlFlowValues _values = new(draft, context);
    private bool _hasProtocol;
    private bool _isUnreplied;

    protected override void Begin()
    {
        _values.Begin();
        (_hasProtocol, _isUnreplied) = (false, false);
    }

    protected override string? ReadValue(string name, string value) => WhenElement.IsPart(name)
        ? ReadTime(name, value)
        : _values.Read(name, value);

    private string? ReadTime(string name, string value)
    {
        if (!TextNumber.TryRead(value, out ulong number) || When.Contradicts(name, number) || !When.TrySet(name, number))
            draft.AddExtra(name, value);
        return null;
    }

    protected override string? Complete()
    {
        if (!_hasProtocol)
            return "a protocol: <layer4 protonum=\"...\">";
        _values.Complete();
        CompleteTime();
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

    private void CompleteTime()
    {
        if (When.IsEmpty)
            return;
        if (When.IsWhole && When.TryMakeTime(out DateTime time))
            draft.EventTime = time;
        else
            draft.AddExtra("when", When.ToString());
    }

    /// <summary>Reads the protocol: its number or, if a program left that out, its name. Each direction names it.</summary>
    private void ReadProtocol(string? number, string? name)
    {
        IPProtocol? named = ProtocolNames.TryParsePrinted(name, out IPProtocol? known) ? known : null;
        IPProtocol? read = TextNumber.TryRead(number, out byte value)
            ? (IPProtocol)value
            : number is null ? named : null;
        if (read is not { } protocol)
            return;
        if ((_hasProtocol && draft.Protocol != protocol) || (named is not null && named != protocol))
            Contradiction = (number is null ? $"protoname=\"{name}\"" : $"protonum=\"{number}\"", "the name and the number of one protocol");
        (draft.Protocol, _hasProtocol) = (protocol, true);
    }

    protected override bool ReadContainer(XmlReader reader)
    {
        switch (reader.Name)
        {
            case "flow":
                draft.EventType = EventText.TypeOfFlow(reader.GetAttribute("type"));
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
    private string? _state;

    /// <summary>True inside the element for values of both directions.</summary>
    public bool IsIndependent { get; set; }

    /// <summary>True once there was such an element.</summary>
    public bool HasIndependent { get; set; }

    public void Begin() => (IsIndependent, HasIndependent, _state) = (false, false, null);

    /// <summary>Reads the state, which needs the protocol.</summary>
    public void Complete()
    {
        if (_state is not null && !TrySetState(_state))
            draft.AddExtra("state", _state);
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

                if (TextNumber.TryRead(value, out ulong number) && TrySet(name, number))
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
        TextNumber.TryReadKey(value, out ushort key)
        && draft.Current.TrySet(name == "srckey" ? TupleParts.SourceKey : TupleParts.DestinationKey, key)
            ? null
            : "a key from 0x0 to 0xffff, once in each direction";

    private static bool IsNumber(string name) => name is "sport" or "dport" or "zone" or "packets" or "bytes" or "timeout" or "mark"
        or "secmark" or "use" or "id" or "start" or "stop" or "deltatime" or "wday";

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
                // The day of the week follows from the date.
                return number <= 9999;
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
}
