using System.Globalization;

namespace ConntrackPS.Conntrack;

/// <summary>An entry as one line for people: the flow, and how it is translated.</summary>
internal static class EntryText
{
    public static string Describe(ConntrackEntry entry)
    {
        ConntrackTuple reply = entry.Reply;
        string text = entry.Original.ToString();

        // The ICMP id is not shown behind an address.
        bool hasPorts = entry.Original is { HasPorts: true, IsIcmp: false };
        if (Translation.SourceAddressDiffers(entry) || (hasPorts && Translation.SourcePortDiffers(entry)))
            text += " source as " + Endpoint(reply, reply.Destination, reply.DestinationPort);
        if (Translation.DestinationAddressDiffers(entry) || (hasPorts && Translation.DestinationPortDiffers(entry)))
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
