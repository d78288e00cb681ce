using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Events;

namespace ConntrackPS.Pipeline;

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
        return type is { } happened ? entry.CloneAs(new ConntrackEvent(happened)) : entry;
    }

    /// <summary>How many events a notice of their loss stands for.</summary>
    public static ulong LostCountOf(PSObject notice) => new PropertyBag(notice).LongNumber(nameof(ConntrackEvent.LostCount)) ?? 0;
}
