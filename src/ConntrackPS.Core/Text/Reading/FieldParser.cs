using ConntrackPS.Conntrack;

namespace ConntrackPS.Text.Reading;

/// <summary>Reads the fields of a line: <c>key=value</c>.</summary>
/// <remarks>Only a malformed field of a tuple makes the line an error. Any other malformed or unknown field becomes an extra.</remarks>
internal sealed class FieldParser(EntryDraft draft, TextContext context)
{
    private const string Number16 = "a number from 0 to 65535, once in each direction";
    private const string Zone16 = "one zone from 0 to 65535";
    private const string Order = "src= before dst=, in each direction";
    private const string IcmpOrder = "code= directly behind type=";
    private const string Key16 = "a key from 0x0 to 0xffff, once in each direction";

    /// <summary>True if the last field is part of a tuple. The id of ICMP is; the id of the entry is not.</summary>
    public bool IsInTuple { get; private set; }

    public void Begin() => IsInTuple = false;

    /// <summary>Records that the last word was not a field.</summary>
    public void LeaveTuple() => IsInTuple = false;

    /// <summary>Reads a field.</summary>
    /// <returns>The expected form; null if the field was read.</returns>
    public string? Read(ReadOnlySpan<char> key, ReadOnlySpan<char> value, ref TextCursor cursor)
    {
        bool wasInTuple = IsInTuple;
        IsInTuple = true;
        switch (key)
        {
            case "src":
                if (draft.Current.Has(TupleParts.Source))
                {
                    if (draft.Direction == TupleDirection.Reply)
                        return "two directions, not a third";
                    if (!draft.Current.Has(TupleParts.Destination))
                        return "dst= of the original direction";
                    draft.BeginReply();
                }

                return SetAddress(TupleParts.Source, value);
            case "dst" when !draft.Current.Has(TupleParts.Source):
                // A moved src= would make the original direction of half the reply.
                return Order;
            case "dst":
                return SetAddress(TupleParts.Destination, value);
            case "sport":
                return SetPort(TupleParts.SourcePort, value);
            case "dport":
                return SetPort(TupleParts.DestinationPort, value);
            case "type":
                return SetByte(TupleParts.IcmpType, value);
            case "code" when !wasInTuple || !draft.Current.Has(TupleParts.IcmpType):
                return IcmpOrder;
            case "code":
                return SetByte(TupleParts.IcmpCode, value);
            case "id" when wasInTuple && draft.Current.Has(TupleParts.IcmpCode) && !draft.Current.Has(TupleParts.IcmpId):
                return SetPort(TupleParts.IcmpId, value);
            case "id" when wasInTuple && draft.HasTwoIcmpIds(value):
                return "one id of ICMP in each direction";
            case "srckey":
                return SetKey(TupleParts.SourceKey, value);
            case "dstkey":
                return SetKey(TupleParts.DestinationKey, value);
        }

        IsInTuple = false;
        return ReadOther(key, value, ref cursor);
    }

    private string? ReadOther(ReadOnlySpan<char> key, ReadOnlySpan<char> value, ref TextCursor cursor)
    {
        bool isRead;
        switch (key)
        {
            case "zone":
                return TextNumber.TryRead(value, out ushort zone) && draft.SetZone(zone) ? null : Zone16;
            case "zone-orig":
                return TextNumber.TryRead(value, out ushort originalZone) && draft.SetOriginalZone(originalZone) ? null : Zone16;
            case "zone-reply":
                return TextNumber.TryRead(value, out ushort replyZone) && draft.SetReplyZone(replyZone) ? null : Zone16;
            case "packets":
                isRead = TextNumber.TryRead(value, out ulong packets) && draft.SetPackets(packets);
                break;
            case "bytes":
                isRead = TextNumber.TryRead(value, out ulong bytes) && draft.SetBytes(bytes);
                break;
            // Some programs write marks and ids in hexadecimal.
            case "mark":
                isRead = TextNumber.TryReadAny(value, out uint mark) && draft.SetMark(mark);
                break;
            case "use":
                isRead = TextNumber.TryReadAny(value, out uint use) && draft.SetUseCount(use);
                break;
            case "id":
                isRead = TextNumber.TryReadAny(value, out uint id) && draft.SetId(id);
                break;
            case "secmark":
                isRead = TextNumber.TryReadAny(value, out uint secmark) && draft.SetSecmark(secmark);
                break;
            case "delta-time":
                isRead = TextNumber.TryRead(value, out ulong age) && draft.SetAge(age);
                break;
            case "start":
                isRead = TextNumber.TryRead(value, out ulong start) && start >= OneYear && draft.SetStart(start);
                break;
            case "stop":
                isRead = TextNumber.TryRead(value, out ulong stop) && stop >= OneYear && draft.SetStop(stop);
                break;
            case "portid":
                isRead = TextNumber.TryReadAny(value, out uint port) && draft.SetPortId(port);
                break;
            default:
                return ReadText(key, value, ref cursor);
        }

        if (!isRead)
        {
            draft.Dispute(key);
            draft.AddExtra(key, cursor.ReadQuoted(value));
        }

        return null;
    }

    /// <summary>Reads a zone before the protocol.</summary>
    public bool TryReadZone(ReadOnlySpan<char> value) => TextNumber.TryRead(value, out ushort zone) && draft.SetZone(zone);

    private string? ReadText(ReadOnlySpan<char> key, ReadOnlySpan<char> value, ref TextCursor cursor)
    {
        switch (key)
        {
            // Neither word contains =. So these are two words, not one that was cut between them.
            case "helper" when value.Length > 0 && !value.Contains('=') && draft.SetHelper(value):
            case "secctx" when value.Length > 0 && !value.Contains('=') && draft.SetSecurityContext(value):
                return null;
            case "labels":
                // Names may have spaces. As a rule, nothing but [USERSPACE] follows them.
                foreach (string name in (value.ToString() + cursor.ReadUntilField().ToString()).Split(','))
                    draft.AddLabel(name, context.Labels);
                return null;
            case "progname" when draft.IsEvent:
                draft.AddKnownExtra(key, value.ToString() + cursor.ReadUntil("\n").ToString());
                return null;

            // The timeouts of GRE, which belong to the policy and not to the entry.
            case "timeout" or "stream_timeout" when draft.Original.Parts == TupleParts.None && TextNumber.TryReadAny(value.TrimEnd(','), out _):
                draft.AddKnownExtra(key, value.TrimEnd(','));
                return null;

            // VyOS' logger prints the seconds from start= to stop=.
            case "delta" when draft.Entry.Has(EntryFields.StartTime):
                draft.AddKnownExtra(key, value);
                return null;
        }

        draft.AddExtra(key, cursor.ReadQuoted(value));
        return null;
    }

    /// <summary>Reads a time in nanoseconds since 1970. A value of less than a year is another kind of number.</summary>
    private const ulong OneYear = 365UL * 24 * 3600 * 1_000_000_000;

    private string? SetAddress(TupleParts part, ReadOnlySpan<char> value)
    {
        if (draft.Current.TrySetAddress(part, value))
            return null;
        if (AddressText.IsMasked(value, out ReadOnlySpan<char> port))
        {
            if (!context.AllowMasked)
                return TextFault.MaskedAddress;
            TupleParts portPart = part == TupleParts.Source ? TupleParts.SourcePort : TupleParts.DestinationPort;
            if (draft.Current.TryHide(part) && (port.IsEmpty || (TextNumber.TryRead(port, out ushort number) && draft.Current.TrySet(portPart, number))))
            {
                draft.NoteGluedPort(port.IsEmpty ? TupleParts.None : portPart);
                draft.AddKnownExtra(part == TupleParts.Source ? "src" : "dst", value);
                return null;
            }
        }

        return part == TupleParts.Source ? "an IPv4 or IPv6 address after src=" : "an IPv4 or IPv6 address after dst=, once in each direction";
    }

    private string? SetPort(TupleParts part, ReadOnlySpan<char> value)
    {
        if (TextNumber.TryRead(value, out ushort number) && (draft.Current.TrySet(part, number) || draft.IsGluedPort(part, number)))
            return null;
        return context.AllowMasked && AddressText.IsMaskedNumber(value) && draft.Current.TryHide(part) ? null : Number16;
    }

    private string? SetByte(TupleParts part, ReadOnlySpan<char> value) =>
        TextNumber.TryRead(value, out byte number) && draft.Current.TrySet(part, number)
            ? null
            : "a number from 0 to 255, once in each direction";

    private string? SetKey(TupleParts part, ReadOnlySpan<char> value) =>
        TextNumber.TryReadKey(value, out ushort key) && draft.Current.TrySet(part, key) ? null : Key16;
}
