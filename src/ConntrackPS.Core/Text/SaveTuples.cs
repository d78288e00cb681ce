using System.Globalization;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Text;

/// <summary>The options of a line for <c>conntrack -R</c> that make the two tuples.</summary>
internal sealed class SaveTuples(EntryDraft draft)
{
    private const string Address = "an IPv4 or IPv6 address, given once";
    private const string Number8 = "a number from 0 to 255, given once";
    private const string Number16 = "a number from 0 to 65535, given once";

    private ushort? _sourceNatPort;
    private ushort? _destinationNatPort;

    public void Begin() => (_sourceNatPort, _destinationNatPort) = (null, null);

    /// <summary>Reads an option.</summary>
    /// <returns>What was expected instead; null for nothing.</returns>
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

    /// <summary>Makes the entry, once all options have been read.</summary>
    /// <returns>What is missing, as a phrase; null for nothing.</returns>
    public string? Complete(TextContext context)
    {
        ref TupleDraft original = ref draft.Original, reply = ref draft.Reply;

        // Either direction makes the other.
        if (original.Parts == TupleParts.None && reply.Has(TupleParts.Addresses))
            original.FillFrom(ReplyTo(reply.ToTuple(draft.Protocol)), reply.Parts & ~TupleParts.Addresses, null, null);
        TupleParts needed = ProtocolText.NeededParts(draft.Protocol, original.Parts);
        if (original.NameMissing(TupleParts.Addresses | needed) is not null)
            return "all of " + OptionsOf(draft.Protocol);
        reply.FillFrom(ReplyTo(original.ToTuple(draft.Protocol)), needed, _destinationNatPort, _sourceNatPort);
        return draft.Complete(needed, context);
    }

    /// <summary>An ICMP message that has no reply is taken as its own: such a line is odd, but says all that an entry needs.</summary>
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
        return SaveOptions.TryRead(value, out uint number) && number <= (isByte ? byte.MaxValue : ushort.MaxValue) && tuple.TrySet(part, (ushort)number)
            ? null
            : isByte ? Number8 : Number16;
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
            if (!ushort.TryParse(value[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out ushort number))
                return Form;
            port = number;
            address = value[..colon];
        }

        return draft.Reply.TrySetAddress(part, hasBrackets ? address.Trim("[]") : address) ? null : Form;
    }
}
