using System.Buffers;
using System.Globalization;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Text.Reading;

/// <summary>Reads the fields of a line: <c>key=value</c>.</summary>
internal sealed class FieldParser(EntryDraft draft, TextContext context)
{
    private const string Number16 = "a number from 0 to 65535, once in each direction";
    private const string Number32 = "a number from 0 to 4294967295";
    private const string Number64 = "a number";
    private const string Key16 = "a key from 0x0 to 0xffff, once in each direction";

    private static readonly SearchValues<char> KeyLetters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789_-");

    /// <summary>Reads a field.</summary>
    /// <returns>What was expected instead; null for nothing.</returns>
    public string? Read(ReadOnlySpan<char> key, ReadOnlySpan<char> value, ref TextCursor cursor)
    {
        switch (key)
        {
            case "src":
                if (draft.Current.Has(TupleParts.Source))
                {
                    if (draft.Direction == TupleDirection.Reply)
                        return "two directions, not a third";
                    draft.BeginReply();
                }

                return draft.Current.TrySetAddress(TupleParts.Source, value) ? null : "an IPv4 or IPv6 address after src=";
            case "dst":
                return draft.Current.TrySetAddress(TupleParts.Destination, value) ? null : "an IPv4 or IPv6 address after dst=, once in each direction";
            case "sport":
                return Set(TupleParts.SourcePort, value);
            case "dport":
                return Set(TupleParts.DestinationPort, value);
            case "type":
                return SetByte(TupleParts.IcmpType, value);
            case "code":
                return SetByte(TupleParts.IcmpCode, value);
            case "id":
                return ReadId(value);
            case "srckey":
                return SetKey(TupleParts.SourceKey, value);
            case "dstkey":
                return SetKey(TupleParts.DestinationKey, value);
            case "packets" when TryRead(value, out ulong packets):
                draft.SetPackets(packets);
                return null;
            case "bytes" when TryRead(value, out ulong bytes):
                draft.SetBytes(bytes);
                return null;
            case "delta-time" when TryRead(value, out ulong age):
                draft.Age = age;
                return null;
            case "packets" or "bytes" or "delta-time":
                return Number64;
            case "mark" or "secmark" or "use" or "portid":
                return TryRead(value, out uint number) ? ReadNumber(key, number) : Number32;
            case "zone" or "zone-orig" or "zone-reply":
                return TryRead(value, out ushort zone) ? ReadZone(key, zone) : "a zone from 0 to 65535";
            default:
                return ReadText(key, value, ref cursor);
        }
    }

    private string? ReadNumber(ReadOnlySpan<char> key, uint number)
    {
        switch (key)
        {
            case "mark":
                draft.Entry.Mark = number;
                break;
            case "use":
                draft.SetUseCount(number);
                break;
            case "secmark":
                draft.SetSecmark(number);
                break;
            default:
                draft.PortId = number;
                break;
        }

        return null;
    }

    private string? ReadZone(ReadOnlySpan<char> key, ushort zone)
    {
        if (key is "zone-orig")
            draft.SetOriginalZone(zone);
        else if (key is "zone-reply")
            draft.SetReplyZone(zone);
        else
            draft.Entry.Zone = zone;
        return null;
    }

    /// <summary>The id of ICMP packets, first; the entry's own stands at the end of the line.</summary>
    private string? ReadId(ReadOnlySpan<char> value)
    {
        if (draft.Current.Has(TupleParts.IcmpType) && !draft.Current.Has(TupleParts.IcmpId))
            return Set(TupleParts.IcmpId, value);
        if (!TryRead(value, out uint id))
            return Number32;
        draft.SetId(id);
        return null;
    }

    private string? ReadText(ReadOnlySpan<char> key, ReadOnlySpan<char> value, ref TextCursor cursor)
    {
        switch (key)
        {
            // Neither has a = in it, which tells two words from one that was cut between them.
            case "helper":
                draft.Entry.MakeDetails().Helper = value.ToString();
                return value.IsEmpty || value.Contains('=') ? "the helper's name" : null;
            case "secctx":
                draft.Entry.MakeDetails().SecurityContext = value.ToString();
                return value.IsEmpty || value.Contains('=') ? "a security context" : null;
            case "labels":
                // Names may have spaces, and nothing but [USERSPACE] follows them.
                foreach (string name in (value.ToString() + cursor.ReadUntil(" [").ToString()).Split(','))
                    draft.AddLabel(name, context.Labels);
                return null;
            case "progname":
                cursor.ReadUntil("\n");
                return null;

            // What the kernel says of GRE's timeouts belongs to the policy, not to the entry.
            case "timeout" or "stream_timeout":
                return TryRead(value.TrimEnd(','), out uint _) ? null : Number32;
        }

        if (!char.IsAsciiLetterLower(key[0]) || key.ContainsAnyExcept(KeyLetters))
            return "key=value";
        draft.Omit($"{key}={value}");
        return null;
    }

    private string? Set(TupleParts part, ReadOnlySpan<char> value) =>
        TryRead(value, out ushort number) && draft.Current.TrySet(part, number) ? null : Number16;

    private string? SetByte(TupleParts part, ReadOnlySpan<char> value) =>
        byte.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out byte number) && draft.Current.TrySet(part, number)
            ? null
            : "a number from 0 to 255, once in each direction";

    private string? SetKey(TupleParts part, ReadOnlySpan<char> value) =>
        value.StartsWith("0x")
        && ushort.TryParse(value[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort number)
        && draft.Current.TrySet(part, number)
            ? null
            : Key16;

    private static bool TryRead(ReadOnlySpan<char> value, out ushort number) =>
        ushort.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    private static bool TryRead(ReadOnlySpan<char> value, out uint number) =>
        uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    private static bool TryRead(ReadOnlySpan<char> value, out ulong number) =>
        ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
