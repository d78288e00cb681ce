using System.Globalization;
using System.Text;
using ConntrackPS.Conntrack;
using ConntrackPS.Events;

namespace ConntrackPS.Text.Writing;

/// <summary>Writes what <c>conntrack -E</c> prints around an entry: the time, the event type, and the program that caused the
/// event.</summary>
/// <remarks>event_cb of conntrack-tools 1.4.7 and __snprintf_conntrack_xml of libnetfilter_conntrack 1.0.9.</remarks>
internal static class EventWriter
{
    private const int TypeWidth = 9;
    private const string Loss = "WARNING: We have hit ENOBUFS! We are losing events.";

    /// <summary>The line of each form that reports lost events.</summary>
    public static string LossIn(ConntrackTextFormat format) => format switch
    {
        ConntrackTextFormat.Xml => $"<!-- {Loss} -->",
        ConntrackTextFormat.List or ConntrackTextFormat.Extended => Loss,
        _ => "# " + Loss,
    };

    /// <summary>Appends <c>[1795167116.161672]\t    [NEW] </c>.</summary>
    public static void AppendHead(StringBuilder text, ConntrackEvent happened, ConntrackTextDetails details)
    {
        if ((details & ConntrackTextDetails.EventTime) != 0 && happened.EventTimestamp is { } time)
            text.Append(CultureInfo.InvariantCulture, $"[{time / 1_000_000_000}.{time / 1000 % 1_000_000:000000}]\t");
        string? type = happened.EventType switch
        {
            ConntrackEventType.New => "[NEW]",
            ConntrackEventType.Update => "[UPDATE]",
            ConntrackEventType.Destroy => "[DESTROY]",
            _ => null,
        };
        if (type is not null)
            text.Append(type.PadLeft(TypeWidth)).Append(' ');
    }

    /// <summary>The attribute of the flow element that has the event type.</summary>
    public static string TypeAttribute(ConntrackEntry entry) => (entry as ConntrackEvent)?.EventType switch
    {
        ConntrackEventType.New => " type=\"new\"",
        ConntrackEventType.Update => " type=\"update\"",
        ConntrackEventType.Destroy => " type=\"destroy\"",
        _ => "",
    };

    /// <summary>Appends the element with the local time.</summary>
    public static void AppendWhen(StringBuilder text, ConntrackEntry entry, ConntrackTextDetails details)
    {
        if ((details & ConntrackTextDetails.EventTime) == 0 || (entry as ConntrackEvent)?.EventTime is not { } time)
            return;
        text.Append(CultureInfo.InvariantCulture, $"<when><hour>{time.Hour}</hour><min>{time.Minute:00}</min><sec>{time.Second:00}</sec>");
        text.Append(CultureInfo.InvariantCulture, $"<wday>{(int)time.DayOfWeek + 1}</wday><day>{time.Day}</day><month>{time.Month}</month><year>{time.Year}</year></when>");
    }

    /// <summary>Appends <c>[USERSPACE] portid=3114 progname=conntrack</c>.</summary>
    public static void AppendProgram(StringBuilder text, ConntrackEvent happened)
    {
        if (happened.PortId is not { } port)
            return;
        text.Append("[USERSPACE] ").AppendField("portid", port);
        if (happened.Extra?.TryGetValue("progname", out string? name) == true)
            text.AppendField("progname", name);
    }
}
