using System.Globalization;
using System.Text;
using ConntrackPS.Events;

namespace ConntrackPS.Text;

/// <summary>The text that conntrack prints around the connection or the expectation of an event, for readers and writers.</summary>
/// <remarks>event_cb and event_exp_cb of conntrack-tools 1.4.7, __snprintf_localtime_xml of libnetfilter_conntrack 1.0.9.</remarks>
internal static class EventText
{
    /// <summary>event_cb of conntrack-tools prints this after ENOBUFS, followed by advice.</summary>
    public const string Loss = "We have hit ENOBUFS! We are losing events";

    private const int TypeWidth = 9;

    /// <summary>Each type, with its word in a line and its name in XML.</summary>
    private static readonly (ConntrackEventType Type, string Word, string Name)[] Types =
    [
        (ConntrackEventType.New, "NEW", "new"),
        (ConntrackEventType.Update, "UPDATE", "update"),
        (ConntrackEventType.Destroy, "DESTROY", "destroy"),
    ];

    /// <summary>The event type of a word, such as NEW; null if there is none.</summary>
    public static ConntrackEventType? TypeOf(ReadOnlySpan<char> word)
    {
        foreach ((ConntrackEventType type, string known, _) in Types)
        {
            if (word.SequenceEqual(known))
                return type;
        }

        return null;
    }

    /// <summary>The event type of a flow element's type attribute, such as new; null if there is none.</summary>
    public static ConntrackEventType? TypeOfFlow(string? attribute)
    {
        foreach ((ConntrackEventType type, _, string known) in Types)
        {
            if (attribute == known)
                return type;
        }

        return null;
    }

    /// <summary>Appends <c>[1795167116.161672]\t    [NEW] </c>.</summary>
    /// <param name="text">Receives the text.</param>
    /// <param name="type">The event type. Existing has no word.</param>
    /// <param name="nanoseconds">The time of the event since 1970; null if it is unknown or not asked for.</param>
    public static void AppendHead(StringBuilder text, ConntrackEventType type, ulong? nanoseconds)
    {
        if (nanoseconds is { } time)
            text.Append(CultureInfo.InvariantCulture, $"[{time / 1_000_000_000}.{time / 1000 % 1_000_000:000000}]\t");
        if (NamesOf(type) is (var word, _))
            text.Append($"[{word}]".PadLeft(TypeWidth)).Append(' ');
    }

    /// <summary>Appends the beginning of a flow element: <c>&lt;flow type="new"&gt;</c>.</summary>
    public static void AppendFlow(StringBuilder text, ConntrackEventType? type)
    {
        text.Append("<flow");
        if (NamesOf(type) is (_, var name))
            text.Append(CultureInfo.InvariantCulture, $" type=\"{name}\"");
        text.Append('>');
    }

    /// <summary>Appends the element with the time.</summary>
    /// <param name="text">Receives the text.</param>
    /// <param name="time">The local time.</param>
    public static void AppendWhen(StringBuilder text, DateTime time)
    {
        text.Append(CultureInfo.InvariantCulture, $"<when><hour>{time.Hour}</hour><min>{time.Minute:00}</min><sec>{time.Second:00}</sec>");
        text.Append(CultureInfo.InvariantCulture, $"<wday>{(int)time.DayOfWeek + 1}</wday><day>{time.Day}</day><month>{time.Month}</month><year>{time.Year}</year></when>");
    }

    private static (string Word, string Name)? NamesOf(ConntrackEventType? type)
    {
        foreach ((ConntrackEventType known, string word, string name) in Types)
        {
            if (type == known)
                return (word, name);
        }

        return null;
    }
}
