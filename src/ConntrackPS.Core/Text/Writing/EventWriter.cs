using System.Text;
using ConntrackPS.Conntrack;
using ConntrackPS.Events;

namespace ConntrackPS.Text.Writing;

/// <summary>Writes what <c>conntrack -E</c> prints around an entry: the time, the event type, and the program that caused the
/// event.</summary>
/// <remarks>event_cb of conntrack-tools 1.4.7 and __snprintf_conntrack_xml of libnetfilter_conntrack 1.0.9.</remarks>
internal static class EventWriter
{
    private const string Loss = $"WARNING: {EventText.Loss}.";

    /// <summary>The line of each form that reports lost events.</summary>
    public static string LossIn(ConntrackTextFormat format) => format switch
    {
        ConntrackTextFormat.Xml => $"<!-- {Loss} -->",
        ConntrackTextFormat.List or ConntrackTextFormat.Extended => Loss,
        _ => "# " + Loss,
    };

    /// <summary>Appends the time, if it is asked for, and the event type.</summary>
    public static void AppendHead(StringBuilder text, ConntrackEvent happened, ConntrackTextDetails details) => EventText.AppendHead(
        text, happened.EventType, (details & ConntrackTextDetails.EventTime) != 0 ? happened.EventTimestamp : null);

    /// <summary>Appends the element with the local time, if it is asked for.</summary>
    public static void AppendWhen(StringBuilder text, ConntrackEntry entry, ConntrackTextDetails details)
    {
        if ((details & ConntrackTextDetails.EventTime) != 0 && (entry as ConntrackEvent)?.EventTime is { } time)
            EventText.AppendWhen(text, time);
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
