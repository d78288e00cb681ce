using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Events;

namespace ConntrackPS.Pipeline;

/// <summary>Finds out which entry an object in the pipeline means: a live one, or one that has been written to a file or
/// sent over the wire since and has become a bag of properties.</summary>
internal static class InputEntry
{
    /// <summary>The key of the entry: by its original tuple, or by its reply where the object has that alone.</summary>
    /// <param name="input">The object.</param>
    /// <param name="needsOriginal">True where the reply alone is not enough.</param>
    /// <exception cref="FormatException">The object does not name an entry exactly; the message completes a sentence.</exception>
    public static EntryKey KeyOf(PSObject input, bool needsOriginal = false)
    {
        EntryKey key = ReadKey(input, needsOriginal);
        key.ThrowIfIncomplete();
        return key;
    }

    /// <summary>The key as far as the object tells it: its tuples need not be whole.</summary>
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

    /// <summary>The reply's tuple: what the object tells of it, and for the rest what answers to the original direction.</summary>
    /// <exception cref="FormatException">A property is bad; the message completes a sentence.</exception>
    public static ConntrackTuple ReplyTuple(PropertyBag properties, in ConntrackTuple original)
    {
        ConntrackTuple reply = TupleInversion.Invert(original) ?? original;
        if (properties.Text("ReplySourceAddress") is not null)
            reply = reply with { Source = properties.Address("ReplySourceAddress", out _) };
        if (properties.Text("ReplyDestinationAddress") is not null)
            reply = reply with { Destination = properties.Address("ReplyDestinationAddress", out _) };
        return original.HasPorts
            ? TupleNumbers.Of(original.Protocol).Fill(reply, (name, maximum) => properties.Number("Reply" + name, maximum))
            : reply;
    }

    /// <summary>The network namespace the object was read in; null for the caller's own.</summary>
    public static string? NamespaceOf(PSObject input) =>
        input.BaseObject is ConntrackEntry entry ? entry.Namespace : new PropertyBag(input).Text("Namespace");

    private static bool HasReplyAlone(PropertyBag properties) =>
        properties.Text("SourceAddress") is null && properties.Text("DestinationAddress") is null
        && properties.Text("ReplySourceAddress") is not null && properties.Text("ReplyDestinationAddress") is not null;

    /// <summary>False where the object leaves something of the reply open, so that any reply will do.</summary>
    private static bool HasReply(PropertyBag properties, in ConntrackTuple original)
    {
        IEnumerable<string> needed = ["ReplySourceAddress", "ReplyDestinationAddress"];
        if (original.HasPorts)
            needed = needed.Concat(TupleNumbers.Of(original.Protocol).Names.Select(name => "Reply" + name));
        return needed.All(name => properties.Text(name) is not null);
    }
}

/// <summary>Reads entries and events of the pipeline whole, whether live or bags of properties.</summary>
internal static class InputEvent
{
    /// <returns>Null for the notice that events were lost, which is no connection's.</returns>
    /// <exception cref="FormatException">The object is none; the message completes a sentence.</exception>
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

        // A file without the number may have the time in any culture's form, which is no reason to refuse the event.
        if (properties.LongNumber(nameof(ConntrackEvent.EventTimestamp)) is { } time)
            happened.SetEventTime(time);
        entry.CloneAs(happened);
        return happened;
    }

    /// <summary>How many events a notice of their loss stands for; null where a text doesn't say.</summary>
    public static ulong? LostCountOf(PSObject notice) => new PropertyBag(notice).LongNumber(nameof(ConntrackEvent.LostCount));
}
