using System.Buffers;
using System.Globalization;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Text.Reading;

/// <summary>Reads connections as <c>ovs-appctl dpctl/dump-conntrack</c> prints them, with or without -m and -s.</summary>
/// <remarks>ct_dpif_format_entry of lib/ct-dpif.c: <c>tcp,orig=(src=10.1.1.2,dst=10.1.1.1,sport=5,dport=80),reply=(...),zone=5,protoinfo=(state=ESTABLISHED)</c>.
/// Open vSwitch has its own states. Only Extra has those that the kernel lacks, states that differ by direction, and the tuple of the
/// parent, which has no protocol.</remarks>
internal sealed class OpenVSwitchForm : ITextForm
{
    private const string Original = ",orig=(";
    private const int LabelBitsEach = 64;

    private static readonly SearchValues<char> NameLetters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789");

    private static readonly SearchValues<char> FieldLetters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789_");

    private readonly List<string> _unknown = [];
    private readonly TupleDraft[] _tuples = new TupleDraft[2];
    private ConntrackEntry _entry = new();
    private Dictionary<string, string>? _extra;
    private bool _hasStatus;
    private IPProtocol _protocol;

    /// <inheritdoc/>
    public ConntrackTextSource Source => ConntrackTextSource.OpenVSwitch;

    /// <inheritdoc/>
    public IReadOnlyList<string> UnknownWords => _unknown;

    /// <summary>True for an entry, or a part of one, that goes on in the next line.</summary>
    public static bool GoesOn(ReadOnlySpan<char> line) => line.Length > 0 && (line[^1] == ',' || line.Count('(') > line.Count(')'));

    /// <summary>True for what may follow a line that goes on: fields.</summary>
    public static bool IsPart(ReadOnlySpan<char> line)
    {
        int equals = line.IndexOf('=');
        return equals > 0 && !line[..equals].ContainsAnyExcept(FieldLetters) && !line.Contains(Original, StringComparison.Ordinal);
    }

    /// <inheritdoc/>
    public TextMatch Read(ReadOnlySpan<char> line, out object? item, out TextFault fault)
    {
        (item, fault) = (null, default);
        int comma = line.IndexOf(',');
        if (comma < 1 || comma > 16 || !line[comma..].StartsWith(Original) || line[..comma].ContainsAnyExcept(NameLetters))
            return TextMatch.None;
        Array.Clear(_tuples);
        _unknown.Clear();
        (_entry, _extra, _hasStatus) = (new ConntrackEntry(), null, false);
        if (!ProtocolNames.TryParseBuiltIn(line[..comma].ToString(), out IPProtocol protocol))
        {
            fault = new TextFault(line[..comma].ToString(), 1, "a protocol such as tcp, or its number", IsBegun: true, IsAtEnd: false);
            return TextMatch.Faulty;
        }

        _protocol = protocol;
        string? expected = ReadFields(line, comma + 1, protocol, out int start, out int length) ?? Complete(protocol);
        if (expected is not null)
        {
            fault = new TextFault(line.Slice(start, length).ToString(), start + 1, expected, IsBegun: true, IsAtEnd: start + length >= line.Length);
            return TextMatch.Faulty;
        }

        if (_extra is not null)
            _entry.MakeDetails().Extra = _extra;
        item = _entry;
        return TextMatch.Read;
    }

    /// <summary>Reads the fields after the protocol.</summary>
    /// <returns>The expected form of the field at <paramref name="start"/>; null if all were read.</returns>
    private string? ReadFields(ReadOnlySpan<char> line, int from, IPProtocol protocol, out int start, out int length)
    {
        (start, length) = (line.Length, 0);
        while (from < line.Length)
        {
            ReadOnlySpan<char> rest = line[from..];
            int size = FieldLength(rest);
            ReadOnlySpan<char> field = rest[..size];
            if (ReadField(field, protocol) is { } expected)
            {
                (start, length) = (from, size);
                return expected;
            }

            from += size + 1;
        }

        return null;
    }

    /// <summary>Returns the text up to the next comma outside of parentheses.</summary>
    private static int FieldLength(ReadOnlySpan<char> text)
    {
        int comma = text.IndexOf(','), open = text.IndexOf('(');
        if (open < 0 || (comma >= 0 && comma < open))
            return comma < 0 ? text.Length : comma;
        int close = text.IndexOf(')');
        int end = close < open ? -1 : text[close..].IndexOf(',');
        return end < 0 ? text.Length : close + end;
    }

    private string? ReadField(ReadOnlySpan<char> field, IPProtocol protocol)
    {
        int equals = field.IndexOf('=');
        ReadOnlySpan<char> key = equals < 0 ? field : field[..equals], value = equals < 0 ? default : field[(equals + 1)..];
        if (value.StartsWith("("))
        {
            if (value[^1] != ')')
                return "the closing parenthesis";
            value = value[1..^1];
            switch (key)
            {
                case "orig" or "reply":
                    return ReadDirection(key is "orig" ? TupleDirection.Original : TupleDirection.Reply, value);
                case "protoinfo":
                    return ReadState(value, protocol);
                default:
                    AddExtra(key, value);
                    return null;
            }
        }

        switch (key)
        {
            case "orig" or "reply":
                return "the tuple in parentheses";
            case "zone":
                if (!TextNumber.TryRead(value, out ushort zone))
                    return "a zone from 0 to 65535";
                _entry.Zone = zone;
                return null;
            case "mark" or "id" or "timeout":
                return ReadNumber(key, value);
            case "start" or "stop":
                return ReadTime(key, value);
            case "status":
                return ReadStatus(value);
            case "labels":
                return ReadLabels(value) ? null : "labels such as 0x1";
            case "helper":
                _entry.MakeDetails().Helper = value.ToString();
                return value.IsEmpty ? "the helper's name" : null;
            default:
                AddUnknown(key, value);
                return null;
        }
    }

    private string? ReadDirection(TupleDirection direction, ReadOnlySpan<char> text)
    {
        ref TupleDraft tuple = ref _tuples[(int)direction];
        while (!text.IsEmpty)
        {
            if (!TryTake(ref text, out ReadOnlySpan<char> key, out ReadOnlySpan<char> value))
                return "key=value in the tuple";
            string? expected = key switch
            {
                "src" or "dst" => tuple.TrySetAddress(key is "src" ? TupleParts.Source : TupleParts.Destination, value) ? null : "an IPv4 or IPv6 address, once in each direction",
                "packets" or "bytes" => SetCounter(direction, key, value) ? null : "a number of packets and bytes",
                _ => SetNumber(ref tuple, key, value) ? null : "numbers in their ranges, once in each direction",
            };
            if (expected is not null)
                return expected;
        }

        return null;
    }

    /// <summary>Takes the next <c>key=value</c> from those in parentheses.</summary>
    private static bool TryTake(ref ReadOnlySpan<char> text, out ReadOnlySpan<char> key, out ReadOnlySpan<char> value)
    {
        (int comma, int equals) = (text.IndexOf(','), text.IndexOf('='));
        ReadOnlySpan<char> field = comma < 0 ? text : text[..comma];
        text = comma < 0 ? default : text[(comma + 1)..];
        bool isField = equals > 0 && equals < field.Length;
        key = isField ? field[..equals] : default;
        value = isField ? field[(equals + 1)..] : default;
        return isField;
    }

    private bool SetNumber(ref TupleDraft tuple, ReadOnlySpan<char> key, ReadOnlySpan<char> value)
    {
        // Some programs print it again.
        if (key is "proto")
            return ProtocolNames.TryParseBuiltIn(value.ToString(), out IPProtocol again) && again == _protocol;
        TupleParts part = key switch
        {
            "sport" => TupleParts.SourcePort,
            "dport" => TupleParts.DestinationPort,
            "type" => TupleParts.IcmpType,
            "code" => TupleParts.IcmpCode,
            "id" => TupleParts.IcmpId,
            _ => TupleParts.None,
        };
        if (part == TupleParts.None)
        {
            AddUnknown(key, value);
            return true;
        }

        return TextNumber.TryRead(value, out ushort number)
            && (number <= byte.MaxValue || (part & (TupleParts.IcmpType | TupleParts.IcmpCode)) == 0)
            && tuple.TrySet(part, number);
    }

    private bool SetCounter(TupleDirection direction, ReadOnlySpan<char> key, ReadOnlySpan<char> value)
    {
        if (!TextNumber.TryRead(value, out ulong number))
            return false;
        switch (direction, key is "packets")
        {
            case (TupleDirection.Original, true):
                (_entry.Data.OriginalPackets, _entry.Fields) = (number, _entry.Fields | EntryFields.OriginalPackets);
                break;
            case (TupleDirection.Original, false):
                (_entry.Data.OriginalBytes, _entry.Fields) = (number, _entry.Fields | EntryFields.OriginalBytes);
                break;
            case (_, true):
                (_entry.Data.ReplyPackets, _entry.Fields) = (number, _entry.Fields | EntryFields.ReplyPackets);
                break;
            default:
                (_entry.Data.ReplyBytes, _entry.Fields) = (number, _entry.Fields | EntryFields.ReplyBytes);
                break;
        }

        return true;
    }

    private string? ReadNumber(ReadOnlySpan<char> key, ReadOnlySpan<char> value)
    {
        if (!TextNumber.TryReadAny(value, out uint number))
            return "a number from 0 to 4294967295";
        if (key is "mark")
            _entry.Mark = number;
        else if (key is "id")
            (_entry.Data.Id, _entry.Fields) = (number, _entry.Fields | EntryFields.Id);
        else
            (_entry.Data.Timeout, _entry.Fields) = (number, _entry.Fields | EntryFields.Timeout);
        return null;
    }

    /// <summary>Reads a local time with milliseconds.</summary>
    private string? ReadTime(ReadOnlySpan<char> key, ReadOnlySpan<char> value)
    {
        if (!DateTime.TryParseExact(value, "yyyy-MM-dd'T'HH:mm:ss.FFF", CultureInfo.InvariantCulture, DateTimeStyles.AssumeLocal, out DateTime time))
            return "a time such as 2026-11-29T03:29:08.454";
        ulong nanoseconds = ClockText.ToNanoseconds(time);
        if (key is "start")
            (_entry.Data.Start, _entry.Fields) = (nanoseconds, _entry.Fields | EntryFields.StartTime);
        else
            (_entry.Data.Stop, _entry.Fields) = (nanoseconds, _entry.Fields | EntryFields.StopTime);
        return null;
    }

    /// <summary>Reads <c>SEEN_REPLY|ASSURED|CONFIRMED</c>. Words that the kernel doesn't have are kept in Extra.</summary>
    private string? ReadStatus(ReadOnlySpan<char> value)
    {
        _hasStatus = true;
        foreach (string word in value.ToString().Split('|', StringSplitOptions.RemoveEmptyEntries))
        {
            if (KernelSpelling.TryParse(word, out ConntrackStatus bit))
                _entry.Status |= bit;
            else
                AddExtra("status", word);
        }

        return null;
    }

    /// <summary>Reads 128 bits: <c>0x1</c>, or 0xHIGH and LOW in one.</summary>
    private bool ReadLabels(ReadOnlySpan<char> value)
    {
        if (!value.StartsWith("0x") || !UInt128.TryParse(value[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out UInt128 bits))
            return false;
        _entry.MakeDetails().Labels = new LabelBits((ulong)bits, (ulong)(bits >> LabelBitsEach));
        return true;
    }

    private string? ReadState(ReadOnlySpan<char> text, IPProtocol protocol)
    {
        string? original = null, reply = null;
        while (!text.IsEmpty)
        {
            if (!TryTake(ref text, out ReadOnlySpan<char> key, out ReadOnlySpan<char> value))
                return "key=value in protoinfo";
            switch (key)
            {
                case "state":
                    (original, reply) = (value.ToString(), value.ToString());
                    break;
                case "state_orig":
                    original = value.ToString();
                    break;
                case "state_reply":
                    reply = value.ToString();
                    break;
                case "wscale_orig" or "wscale_reply" when TextNumber.TryRead(value, out byte scale) && scale <= 14:
                    SetWindowScale(key is "wscale_orig", scale);
                    break;
                case "flags_orig" or "flags_reply" when KernelSpelling.ParseBits<TcpTrackingFlags>(value.ToString().Replace('|', ','), out _) is { } flags && flags <= byte.MaxValue:
                    SetFlags(key is "flags_orig", (TcpTrackingFlags)flags);
                    break;
                case "vtag_orig" when TextNumber.TryRead(value, out uint tag):
                    _entry.MakeDetails().OriginalVerificationTag = tag;
                    break;
                case "vtag_reply" when TextNumber.TryRead(value, out uint tag):
                    _entry.MakeDetails().ReplyVerificationTag = tag;
                    break;
                default:
                    AddUnknown(key, value);
                    break;
            }
        }

        SetState(original, reply, protocol);
        return null;
    }

    /// <summary>The kernel has one state for both directions. Extra keeps states of Open vSwitch that differ, or that the kernel
    /// lacks.</summary>
    private void SetState(string? original, string? reply, IPProtocol protocol)
    {
        ConntrackState? state = original == reply && original is not null ? StateOf(original, protocol) : null;
        if (state is { } known)
            (_entry.Data.State, _entry.Fields) = (known, _entry.Fields | EntryFields.State);
        if (original == reply)
        {
            if (original is not null && (state is not { } same || StateNames.Of(protocol, same) != original))
                AddExtra("state", original);
            return;
        }

        if (original is not null)
            AddExtra("state_orig", original);
        if (reply is not null)
            AddExtra("state_reply", reply);
    }

    /// <summary>tcp_state of lib/ct-dpif.h, as nl_ct_tcp_state_to_dpif converts the kernel's state to it. It lacks LISTEN and
    /// FIN_WAIT_2.</summary>
    private static ConntrackState? StateOf(string word, IPProtocol protocol)
    {
        if (protocol == IPProtocol.Tcp)
        {
            return word switch
            {
                "FIN_WAIT_1" => ConntrackState.FinWait,
                "CLOSING" => ConntrackState.Close,
                "SYN_SENT" => ConntrackState.SynSent,
                "SYN_RECV" => ConntrackState.SynRecv,
                "ESTABLISHED" => ConntrackState.Established,
                "CLOSE_WAIT" => ConntrackState.CloseWait,
                "LAST_ACK" => ConntrackState.LastAck,
                "TIME_WAIT" => ConntrackState.TimeWait,
                _ => null,
            };
        }

        return ProtocolText.HasState(protocol) && StateNames.TryParse(word, protocol, out ConntrackState state) ? state : null;
    }

    private void SetWindowScale(bool isOriginal, byte scale)
    {
        if (isOriginal)
            (_entry.Data.OriginalWindowScale, _entry.Fields) = (scale, _entry.Fields | EntryFields.OriginalWindowScale);
        else
            (_entry.Data.ReplyWindowScale, _entry.Fields) = (scale, _entry.Fields | EntryFields.ReplyWindowScale);
    }

    private void SetFlags(bool isOriginal, TcpTrackingFlags flags)
    {
        if (isOriginal)
            (_entry.Data.OriginalTcpFlags, _entry.Fields) = (flags, _entry.Fields | EntryFields.OriginalTcpFlags);
        else
            (_entry.Data.ReplyTcpFlags, _entry.Fields) = (flags, _entry.Fields | EntryFields.ReplyTcpFlags);
    }

    private string? Complete(IPProtocol protocol)
    {
        // Open vSwitch prints ports of 0 for protocols without ports.
        TupleParts needed = TupleParts.Addresses | (protocol is IPProtocol.Icmp or IPProtocol.IcmpV6 ? TupleParts.Icmp : TupleParts.Ports);
        ref TupleDraft original = ref _tuples[0], reply = ref _tuples[1];
        if (original.NameMissing(needed) is { } missing)
            return $"{missing} in orig=(...)";
        if (reply.NameMissing(needed) is { } other)
            return $"{other} in reply=(...)";
        if (((original.Parts | reply.Parts) & ~needed) != 0)
            return "the parts that the protocol has";
        if (original.Family == IPFamily.Unspecified || original.Family != reply.Family)
            return "four addresses of one family";
        bool hasPorts = ProtocolText.PartsOf(protocol) switch
        {
            TupleParts.None => false,
            TupleParts.Keys => original.ToTuple(protocol) is { SourcePort: not 0 } or { DestinationPort: not 0 },
            _ => true,
        };
        _entry.Original = ToTuple(original, protocol, hasPorts);
        _entry.Reply = ToTuple(reply, protocol, hasPorts);
        SetStatus();
        return null;
    }

    private static ConntrackTuple ToTuple(in TupleDraft draft, IPProtocol protocol, bool hasPorts)
    {
        ConntrackTuple tuple = draft.ToTuple(protocol);
        return hasPorts ? tuple : tuple with { HasPorts = false, SourcePort = 0, DestinationPort = 0 };
    }

    /// <summary>Sets the status bits that follow from other values, if the status is missing. Only -m prints it.</summary>
    private void SetStatus()
    {
        if (_hasStatus)
            return;
        _entry.Status = ConntrackStatus.Confirmed;
        if (_entry.ReplyPackets > 0 || (_entry.Protocol == IPProtocol.Tcp && _entry.State is not (null or ConntrackState.SynSent or ConntrackState.Close)))
            _entry.Status |= ConntrackStatus.SeenReply;
        if (Translation.SourceDiffers(_entry))
            _entry.Status |= ConntrackStatus.SrcNat | ConntrackStatus.SrcNatDone;
        if (Translation.DestinationDiffers(_entry))
            _entry.Status |= ConntrackStatus.DstNat | ConntrackStatus.DstNatDone;
    }

    private void AddUnknown(ReadOnlySpan<char> key, ReadOnlySpan<char> value)
    {
        _unknown.Add(key.ToString());
        AddExtra(key, value);
    }

    private void AddExtra(ReadOnlySpan<char> key, ReadOnlySpan<char> value)
    {
        _extra ??= new Dictionary<string, string>(StringComparer.Ordinal);
        string word = key.ToString();
        _extra[word] = _extra.TryGetValue(word, out string? before) && value.Length > 0 ? $"{before}, {value}" : value.ToString();
    }
}
