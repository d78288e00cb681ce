using System.Globalization;

namespace ConntrackPS.Conntrack;

/// <summary>An entry as one line for people: the flow, and how it is translated.</summary>
internal static class EntryText
{
    public static string Describe(ConntrackEntry entry)
    {
        ConntrackTuple original = entry.Original, reply = entry.Reply;
        string text = original.ToString();
        if (original.Source != reply.Destination || (original.HasPorts && !original.IsIcmp && original.SourcePort != reply.DestinationPort))
            text += " source as " + Endpoint(reply, reply.Destination, reply.DestinationPort);
        if (original.Destination != reply.Source || (original.HasPorts && !original.IsIcmp && original.DestinationPort != reply.SourcePort))
            text += " destination as " + Endpoint(reply, reply.Source, reply.SourcePort);
        return entry.Zone == 0 ? text : text + string.Create(CultureInfo.InvariantCulture, $" zone {entry.Zone}");
    }

    private static string Endpoint(in ConntrackTuple tuple, AddressBits address, ushort port)
    {
        string text = address.ToString(tuple.Family);
        if (!tuple.HasPorts || tuple.IsIcmp)
            return text;
        return tuple.Family == IPFamily.IPv6
            ? string.Create(CultureInfo.InvariantCulture, $"[{text}]:{port}")
            : string.Create(CultureInfo.InvariantCulture, $"{text}:{port}");
    }
}
