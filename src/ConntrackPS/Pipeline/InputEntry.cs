using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Events;

namespace ConntrackPS.Pipeline;

/// <summary>Reads which entry an object in the pipeline names. The object is live, or deserialised from a file or from remoting.</summary>
internal static class InputEntry
{
    /// <summary>The key of the entry: its original tuple, or its reply tuple if the object has only that.</summary>
    /// <param name="input">The object.</param>
    /// <param name="needsOriginal">True if the reply tuple alone is not enough.</param>
    /// <exception cref="FormatException">The object does not name an entry exactly; the message completes a sentence.</exception>
    public static EntryKey KeyOf(PSObject input, bool needsOriginal = false)
    {
        EntryKey key = ReadKey(input, needsOriginal);
        key.ThrowIfIncomplete();
        return key;
    }

    /// <summary>The key with the values that the object has. Its tuples can be incomplete.</summary>
    /// <exception cref="FormatException">A property is missing or bad; the message completes a sentence.</exception>
    public static EntryKey ReadKey(PSObject input, bool needsOriginal = false)
    {
        if (input.BaseObject is ConntrackEntry entry)
            return EntryKey.Of(entry);
        PropertyBag properties = new(input);
        if (!needsOriginal && HasReplyAlone(properties))
        {
            return new EntryKey(default, properties.Port("Zone") ?? 0, properties.Port("OriginalZone"), properties.Number("Id", uint.MaxValue))
            {
                ReplyZone = properties.Port("ReplyZone"),
                Reply = properties.EntryTuple("Reply"),
            };
        }

        ConntrackTuple original = properties.EntryTuple("");
        return new EntryKey(original, properties.Port("Zone") ?? 0, properties.Port("OriginalZone"), properties.Number("Id", uint.MaxValue))
        {
            ReplyZone = properties.Port("ReplyZone"),
            Reply = HasReply(properties, original) ? ReplyTuple(properties, original) : null,
        };
    }

    /// <summary>The reply tuple: the values that the object has, and otherwise those of the original tuple, swapped. What a file hides
    /// stays unknown.</summary>
    /// <exception cref="FormatException">A property is bad; the message completes a sentence.</exception>
    public static ConntrackTuple ReplyTuple(PropertyBag properties, in ConntrackTuple original)
    {
        bool hidesSource = properties.Hides("ReplySourceAddress"), hidesDestination = properties.Hides("ReplyDestinationAddress");
        TupleGaps hidden = properties.HiddenNumbers(TupleNumbers.Of(original.Protocol), "Reply");

        // conntrackd's external cache has no reply direction.
        if (hidesSource && hidesDestination && (!original.HasPorts || hidden == (TupleGaps.SourcePort | TupleGaps.DestinationPort)))
            return new ConntrackTuple { Protocol = original.Protocol };
        ConntrackTuple reply = TupleInversion.Invert(original) ?? original;
        if (original.HasPorts)
            reply = reply with { Gaps = reply.Gaps | hidden };
        if (hidesSource)
            reply = reply with { Source = default, Gaps = reply.Gaps | TupleGaps.Source };
        else if (properties.Text("ReplySourceAddress") is not null)
            reply = reply with { Source = properties.Address("ReplySourceAddress", out _), Gaps = reply.Gaps & ~TupleGaps.Source };
        if (hidesDestination)
            reply = reply with { Destination = default, Gaps = reply.Gaps | TupleGaps.Destination };
        else if (properties.Text("ReplyDestinationAddress") is not null)
            reply = reply with { Destination = properties.Address("ReplyDestinationAddress", out _), Gaps = reply.Gaps & ~TupleGaps.Destination };
        return original.HasPorts
            ? TupleNumbers.Of(original.Protocol).Fill(reply, (name, maximum) => properties.Number("Reply" + name, maximum))
            : reply;
    }

    /// <summary>The network namespace that the object came from; null for the caller's own.</summary>
    public static string? NamespaceOf(PSObject input) =>
        input.BaseObject is ConntrackEntry entry ? entry.Namespace : new PropertyBag(input).Namespace;

    private static bool HasReplyAlone(PropertyBag properties) =>
        properties.Text("SourceAddress") is null && properties.Text("DestinationAddress") is null && !properties.Hides("SourceAddress")
        && properties.Text("ReplySourceAddress") is not null && properties.Text("ReplyDestinationAddress") is not null;

    /// <summary>False if the object lacks a part of the reply tuple, so that any reply matches.</summary>
    private static bool HasReply(PropertyBag properties, in ConntrackTuple original)
    {
        IEnumerable<string> needed = ["ReplySourceAddress", "ReplyDestinationAddress"];
        if (original.HasPorts)
            needed = needed.Concat(TupleNumbers.Of(original.Protocol).Names.Select(name => "Reply" + name));
        return needed.All(name => properties.Text(name) is not null);
    }
}

/// <summary>Reads all values of entries and events of the pipeline, live or deserialised.</summary>
internal static class InputEvent
{
    /// <returns>Null for an event of type Lost, which has no connection.</returns>
    /// <exception cref="FormatException">The object is neither. The message completes a sentence.</exception>
    public static ConntrackEntry? Read(PSObject input)
    {
        if (input.BaseObject is ConntrackEntry live)
            return live is ConntrackEvent { EventType: ConntrackEventType.Lost } ? null : live;
        ConntrackEventType? type = Enum.TryParse(new PropertyBag(input).Text(nameof(ConntrackEvent.EventType)), out ConntrackEventType parsed) ? parsed : null;
        if (type == ConntrackEventType.Lost)
            return null;
        ConntrackEntry entry = EntryFromProperties.Read(input);
        return type is { } happened ? ToEvent(entry, happened, new PropertyBag(input)) : entry;
    }

    private static ConntrackEvent ToEvent(ConntrackEntry entry, ConntrackEventType type, PropertyBag properties)
    {
        ConntrackEvent happened = new(type) { PortId = properties.Number(nameof(ConntrackEvent.PortId), uint.MaxValue) };
        if (TimeOf(properties) is { } time)
            happened.SetEventTime(time);
        entry.CloneAs(happened);
        return happened;
    }

    /// <summary>A file without the number may have the time in any culture's form, which is no reason to refuse the event.</summary>
    private static ulong? TimeOf(PropertyBag properties)
    {
        if (properties.LongNumber(nameof(ConntrackEvent.EventTimestamp)) is { } time)
            return time;
        try
        {
            return properties.Time(nameof(ConntrackEvent.EventTime), nameof(ConntrackEvent.EventTimestamp));
        }
        catch (FormatException)
        {
            return null;
        }
    }

    /// <summary>The number of events that an event of type Lost reports; null if a text lacks it.</summary>
    public static ulong? LostCountOf(PSObject notice) => new PropertyBag(notice).LongNumber(nameof(ConntrackEvent.LostCount));
}
