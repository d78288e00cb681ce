using System.Globalization;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Text;

/// <summary>The elements of <c>conntrack -o xml</c> that hold text: each sets something of the draft.</summary>
internal sealed class XmlFlowValues(EntryDraft draft, TextContext context)
{
    private static readonly string[] TimeElements = ["year", "month", "day", "hour", "min", "sec"];

    private readonly int[] _time = new int[TimeElements.Length];
    private string? _state;

    /// <summary>True inside the element for what belongs to both directions.</summary>
    public bool IsIndependent { get; set; }

    public void Begin()
    {
        (IsIndependent, _state) = (false, null);
        Array.Clear(_time);
    }

    /// <summary>Reads the state, which needs the protocol, and the time of an event.</summary>
    /// <returns>What was expected instead; null for nothing.</returns>
    public string? Complete()
    {
        if (_state is not null && !TrySetState(_state))
            return "a state such as ESTABLISHED in <state>";
        if (_time[0] == 0)
            return null;
        if (!TryMakeTime(out DateTime time))
            return "a time in <when>";
        draft.EventTime = time;
        return null;
    }

    /// <summary>Reads an element that holds text.</summary>
    /// <returns>What was expected instead; null for nothing.</returns>
    public string? Read(string name, string value)
    {
        switch (name)
        {
            case "src":
                return draft.Current.TrySetAddress(TupleParts.Source, value) ? null : "an IPv4 or IPv6 address, once in each direction";
            case "dst":
                return draft.Current.TrySetAddress(TupleParts.Destination, value) ? null : "an IPv4 or IPv6 address, once in each direction";
            case "state":
                _state = value;
                return null;
            case "label":
                draft.AddLabel(value, context.Labels);
                return null;
            case "helper":
                draft.Entry.MakeDetails().Helper = value;
                return null;
            case "secctx":
                draft.Entry.MakeDetails().SecurityContext = value;
                return null;
            case "srckey" or "dstkey":
                return ReadKey(name, value);
            default:
                if (!IsNumber(name))
                {
                    draft.Omit($"<{name}>{value}</{name}>");
                    return null;
                }

                return ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) && TrySet(name, number)
                    ? null
                    : "a number in its range, given once";
        }
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
                SetZone((ushort)number);
                return number <= ushort.MaxValue;
            case "packets":
                draft.SetPackets(number);
                return true;
            case "bytes":
                draft.SetBytes(number);
                return true;
            case "start":
                draft.SetStart(number);
                return true;
            case "stop":
                draft.SetStop(number);
                return true;
            case "deltatime":
                draft.Age = number;
                return true;
            case "timeout" or "mark" or "secmark" or "use" or "id":
                SetNumber(name, (uint)number);
                return number <= uint.MaxValue;
            default:
                return TrySetTime(name, number);
        }
    }

    private void SetZone(ushort zone)
    {
        if (IsIndependent)
            draft.Entry.Zone = zone;
        else if (draft.Direction == TupleDirection.Reply)
            draft.SetReplyZone(zone);
        else
            draft.SetOriginalZone(zone);
    }

    private void SetNumber(string name, uint number)
    {
        switch (name)
        {
            case "timeout":
                draft.SetTimeout(number);
                break;
            case "mark":
                draft.Entry.Mark = number;
                break;
            case "secmark":
                draft.SetSecmark(number);
                break;
            case "use":
                draft.SetUseCount(number);
                break;
            default:
                draft.SetId(number);
                break;
        }
    }

    private bool TrySetTime(string name, ulong number)
    {
        int index = Array.IndexOf(TimeElements, name);
        if (index >= 0)
            _time[index] = (int)Math.Min(number, 9999);
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
