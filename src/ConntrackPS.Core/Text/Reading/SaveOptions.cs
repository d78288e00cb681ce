using System.Buffers.Binary;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Text.Reading;

/// <summary>The options of a line for <c>conntrack -R</c>. Each sets a value of the draft.</summary>
internal sealed class SaveOptions(EntryDraft draft, TextContext context)
{
    internal const string Number16 = "a number from 0 to 65535, given once";
    private const string Number32 = "a number from 0 to 4294967295";

    private readonly SaveTuples _tuples = new(draft);
    private bool _hasProtocol;

    public void Begin()
    {
        _tuples.Begin();
        _hasProtocol = false;
    }

    /// <summary>Reads an option.</summary>
    /// <returns>The expected form; null if the option was read.</returns>
    public string? Read(ReadOnlySpan<char> name, ReadOnlySpan<char> value)
    {
        switch (name)
        {
            case "-p" or "--protonum":
                return ReadProtocol(value);
            case "--state":
                return ReadState(value);
            case "-u" or "--status":
                return ReadStatus(value);
            case "-l" or "--label" or "--label-add":
                return ReadLabels(value);
            case "-f" or "--family":
                return value is "ipv4" or "ipv6" ? null : "ipv4 or ipv6";
            case "--role":
                byte role = value is "server" ? (byte)1 : (byte)0;
                if (value is not ("client" or "server") || (draft.Entry.DccpRole is { } other && other != role))
                    return "client or server, given once";
                draft.Entry.MakeDetails().DccpRole = role;
                return null;
            case "-m" or "--mark":
                return ReadNumber(name, value.IndexOf('/') is >= 0 and int slash ? value[..slash] : value);
            case "-t" or "--timeout" or "-c" or "--secmark" or "-i" or "--id" or "--orig-vtag" or "--reply-vtag":
                return ReadNumber(name, value);
            case "-w" or "--zone" or "--orig-zone" or "--reply-zone":
                return ReadZone(name, value);
            default:
                return _tuples.Read(name, value);
        }
    }

    /// <summary>Creates the entry. Call it after all options were read.</summary>
    /// <returns>The missing part, as a phrase; null if nothing is missing.</returns>
    public string? Complete() => _hasProtocol ? _tuples.Complete(context) : "-p and a protocol";

    private string? ReadProtocol(ReadOnlySpan<char> value)
    {
        if (!ProtocolNames.TryParseBuiltIn(value.ToString(), out IPProtocol protocol))
            return ProtocolNames.AcceptedForm;
        if (_hasProtocol && draft.Protocol != protocol)
            return "one protocol";
        (draft.Protocol, _hasProtocol) = (protocol, true);
        return null;
    }

    private string? ReadState(ReadOnlySpan<char> value)
    {
        if (!StateNames.TryParse(value, draft.Protocol, out ConntrackState state))
            return _hasProtocol ? $"a state of {ProtocolNames.ToTracked(draft.Protocol)}, such as ESTABLISHED" : "-p before --state";
        draft.SetState(state);
        return null;
    }

    private string? ReadStatus(ReadOnlySpan<char> value)
    {
        foreach (string name in value.ToString().Split(','))
        {
            if (name == "UNSET")
                continue;
            if (!KernelSpelling.TryParse(name, out ConntrackStatus bit) || bit == ConntrackStatus.None)
                return "status bits such as SEEN_REPLY,ASSURED";
            draft.SetStatus(bit);
        }

        return null;
    }

    private string? ReadLabels(ReadOnlySpan<char> value)
    {
        foreach (string label in value.ToString().Split(','))
            draft.AddLabel(label, context.Labels);
        return null;
    }

    private string? ReadZone(ReadOnlySpan<char> name, ReadOnlySpan<char> value)
    {
        if (!TextNumber.TryReadAny(value, out uint zone) || zone > ushort.MaxValue)
            return Number16;
        bool isSet = name switch
        {
            "--orig-zone" => draft.SetOriginalZone((ushort)zone),
            "--reply-zone" => draft.SetReplyZone((ushort)zone),
            _ => draft.SetZone((ushort)zone),
        };
        return isSet ? null : Number16;
    }

    private string? ReadNumber(ReadOnlySpan<char> name, ReadOnlySpan<char> value)
    {
        if (!TextNumber.TryReadAny(value, out uint number))
            return Number32;
        switch (name)
        {
            case "-t" or "--timeout":
                draft.SetTimeout(number);
                break;
            case "-m" or "--mark":
                draft.SetMark(number);
                break;
            case "-c" or "--secmark":
                draft.SetSecmark(number);
                break;
            case "-i" or "--id":
                draft.SetId(number);
                break;
            case "--orig-vtag" when (draft.Entry.OriginalVerificationTag ?? SwapTag(number)) != SwapTag(number):
            case "--reply-vtag" when (draft.Entry.ReplyVerificationTag ?? SwapTag(number)) != SwapTag(number):
                return Number32 + ", given once";
            case "--orig-vtag":
                draft.Entry.MakeDetails().OriginalVerificationTag = SwapTag(number);
                break;
            default:
                draft.Entry.MakeDetails().ReplyVerificationTag = SwapTag(number);
                break;
        }

        return null;
    }

    /// <summary>Converts conntrack's text of a verification tag to the tag, or back.</summary>
    /// <remarks>On little-endian machines conntrack's options and output have the bytes in reverse order: libnetfilter_conntrack converts
    /// the tag to host order, and libct_proto_sctp.c converts it again.</remarks>
    public static uint SwapTag(uint tag) => BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(tag) : tag;
}

/// <summary>The options of a line for <c>conntrack -R</c> that make the two tuples.</summary>
internal sealed class SaveTuples(EntryDraft draft)
{
    private const string Address = "an IPv4 or IPv6 address, given once";
    private const string Number8 = "a number from 0 to 255, given once";

    private ushort? _sourceNatPort;
    private ushort? _destinationNatPort;

    public void Begin() => (_sourceNatPort, _destinationNatPort) = (null, null);

    /// <summary>Reads an option.</summary>
    /// <returns>The expected form; null if the option was read.</returns>
    public string? Read(ReadOnlySpan<char> name, ReadOnlySpan<char> value)
    {
        switch (name)
        {
            case "-s" or "--src" or "--orig-src":
                return draft.Original.TrySetAddress(TupleParts.Source, value) ? null : Address;
            case "-d" or "--dst" or "--orig-dst":
                return draft.Original.TrySetAddress(TupleParts.Destination, value) ? null : Address;
            case "-r" or "--reply-src":
                return draft.Reply.TrySetAddress(TupleParts.Source, value) ? null : Address;
            case "-q" or "--reply-dst":
                return draft.Reply.TrySetAddress(TupleParts.Destination, value) ? null : Address;
            case "-n" or "--src-nat":
                draft.SetStatus(ConntrackStatus.SrcNat | ConntrackStatus.SrcNatDone);
                return ReadTranslation(TupleParts.Destination, value, out _sourceNatPort);
            case "-g" or "--dst-nat":
                draft.SetStatus(ConntrackStatus.DstNat | ConntrackStatus.DstNatDone);
                return ReadTranslation(TupleParts.Source, value, out _destinationNatPort);
            default:
                return PartOf(name) is var part && part != TupleParts.None ? ReadPart(name, part, value) : "an option of conntrack -A";
        }
    }

    /// <summary>Creates the entry. Call it after all options were read.</summary>
    /// <returns>The missing part, as a phrase; null if nothing is missing.</returns>
    public string? Complete(TextContext context)
    {
        ref TupleDraft original = ref draft.Original, reply = ref draft.Reply;

        // Either direction implies the other.
        if (original.Parts == TupleParts.None && reply.Has(TupleParts.Addresses))
            original.FillFrom(ReplyTo(reply.ToTuple(draft.Protocol)), reply.Parts & ~TupleParts.Addresses, null, null);
        TupleParts needed = ProtocolText.NeededParts(draft.Protocol, original.Parts);
        if (original.NameMissing(TupleParts.Addresses | needed) is not null)
            return "all of " + OptionsOf(draft.Protocol);
        reply.FillFrom(ReplyTo(original.ToTuple(draft.Protocol)), needed, _destinationNatPort, _sourceNatPort);
        return draft.Complete(needed, context);
    }

    /// <summary>An ICMP message that has no reply type gets its own type. Such a line is unusual, but has all that an entry
    /// needs.</summary>
    private static ConntrackTuple ReplyTo(in ConntrackTuple tuple) =>
        TupleInversion.Invert(tuple) ?? tuple with { Source = tuple.Destination, Destination = tuple.Source };

    private static string OptionsOf(IPProtocol protocol) => "-s, -d" + protocol switch
    {
        IPProtocol.Icmp => ", --icmp-type, --icmp-code, --icmp-id",
        IPProtocol.IcmpV6 => ", --icmpv6-type, --icmpv6-code, --icmpv6-id",
        IPProtocol.Gre => ", --srckey, --dstkey",
        _ when ProtocolText.PartsOf(protocol) == TupleParts.Ports => ", --sport, --dport",
        _ => "",
    };

    private static TupleParts PartOf(ReadOnlySpan<char> name) => name switch
    {
        "--sport" or "--orig-port-src" or "--reply-port-src" => TupleParts.SourcePort,
        "--dport" or "--orig-port-dst" or "--reply-port-dst" => TupleParts.DestinationPort,
        "--srckey" or "--orig-key-src" or "--reply-key-src" => TupleParts.SourceKey,
        "--dstkey" or "--orig-key-dst" or "--reply-key-dst" => TupleParts.DestinationKey,
        "--icmp-type" or "--icmpv6-type" => TupleParts.IcmpType,
        "--icmp-code" or "--icmpv6-code" => TupleParts.IcmpCode,
        "--icmp-id" or "--icmpv6-id" => TupleParts.IcmpId,
        _ => TupleParts.None,
    };

    private string? ReadPart(ReadOnlySpan<char> name, TupleParts part, ReadOnlySpan<char> value)
    {
        bool isByte = part is TupleParts.IcmpType or TupleParts.IcmpCode;
        ref TupleDraft tuple = ref draft.Original;
        if (name.StartsWith("--reply"))
            tuple = ref draft.Reply;
        return TextNumber.TryReadAny(value, out uint number) && number <= (isByte ? byte.MaxValue : ushort.MaxValue) && tuple.TrySet(part, (ushort)number)
            ? null
            : isByte ? Number8 : SaveOptions.Number16;
    }

    private string? ReadTranslation(TupleParts part, ReadOnlySpan<char> value, out ushort? port)
    {
        const string Form = "an address, perhaps with a port, such as 192.0.2.1:80 or [2001:db8::1]:80";
        port = null;
        ReadOnlySpan<char> address = value;
        int colon = value.LastIndexOf(':');
        bool hasBrackets = value.Length > 0 && value[0] == '[';
        if (colon > 0 && (hasBrackets ? value[colon - 1] == ']' : value.IndexOf(':') == colon))
        {
            if (!TextNumber.TryRead(value[(colon + 1)..], out ushort number))
                return Form;
            port = number;
            address = value[..colon];
        }

        return draft.Reply.TrySetAddress(part, hasBrackets ? address.Trim("[]") : address) ? null : Form;
    }
}
