using System.ComponentModel;
using System.Globalization;
using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Pipeline;

namespace ConntrackPS.Formatting;

/// <summary>What the views in ConntrackPS.format.ps1xml show of an entry: hidden properties that ConntrackPS.types.ps1xml
/// attaches, since one costs a fraction of a script block.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class EntryView
{
    /// <summary>The longest name of a protocol that has states.</summary>
    private const int ProtocolWidth = 4;

    private static readonly string[] States = [.. Enumerable.Range(0, 256).Select(number => Colour((ConntrackState)number))];

    /// <summary>The state, in a colour that tells what to think of it.</summary>
    public static string? State(PSObject entry) => Entry(entry).State is { } state ? States[(int)state] : null;

    /// <summary>Protocol and state in 20 characters, one below the other from row to row. As two columns they take 24, and
    /// two IPv6 addresses would no longer fit into a line of 120.</summary>
    public static string ProtocolState(PSObject entry)
    {
        string protocol = Entry(entry).Protocol.ToString();
        return State(entry) is { } state ? $"{protocol.PadRight(ProtocolWidth)} {state}" : protocol;
    }

    /// <summary>The status bits, green with a reply and yellow without.</summary>
    public static string Status(PSObject entry)
    {
        ConntrackStatus status = Entry(entry).Status;
        return Paint(status.ToString(), (status & ConntrackStatus.SeenReply) != 0 ? StyleCodes.Green : StyleCodes.Yellow);
    }

    /// <summary>The source with its port.</summary>
    public static string Source(PSObject entry) => Endpoint(Entry(entry), Entry(entry).SourceAddress, Entry(entry).SourcePort);

    /// <summary>What the source is translated to; nothing where it is not.</summary>
    public static string? SourceAs(PSObject entry) => Translation.OfSource(Entry(entry))
        ? Endpoint(Entry(entry), Entry(entry).ReplyDestinationAddress, Entry(entry).ReplyDestinationPort)
        : null;

    /// <summary>The destination with its port.</summary>
    public static string Destination(PSObject entry) => Endpoint(Entry(entry), Entry(entry).DestinationAddress, Entry(entry).DestinationPort);

    /// <summary>What the destination is translated to; nothing where it is not.</summary>
    public static string? DestinationAs(PSObject entry) => Translation.OfDestination(Entry(entry))
        ? Endpoint(Entry(entry), Entry(entry).ReplySourceAddress, Entry(entry).ReplySourcePort)
        : null;

    /// <summary>The service of the destination's port, or the port where it has none.</summary>
    public static object? Service(PSObject entry) =>
        (object?)ServiceView.NameOf(Entry(entry), Entry(entry).DestinationPort) ?? Entry(entry).DestinationPort;

    private static ConntrackEntry Entry(PSObject entry) => (ConntrackEntry)entry.BaseObject;

    private static string Endpoint(ConntrackEntry entry, string address, ushort? port)
    {
        if (port is not { } number)
            return address;
        return entry.AddressFamily == IPFamily.IPv6
            ? string.Create(CultureInfo.InvariantCulture, $"[{address}]:{number}")
            : string.Create(CultureInfo.InvariantCulture, $"{address}:{number}");
    }

    private static string Colour(ConntrackState state) => Paint(state.ToString(), ConntrackStates.PhaseOf(state) switch
    {
        StatePhase.Open => StyleCodes.Green,
        StatePhase.Opening => StyleCodes.Yellow,
        _ => StyleCodes.Gray,
    });

    private static string Paint(string text, string colour) => colour.Length == 0 ? text : colour + text + StyleCodes.Reset;
}

/// <summary>Objects that tell the services of their ports, and are shown with them. The ports stay numbers.</summary>
internal static class ServiceView
{
    private const string Suffix = "#Service";

    /// <summary>An entry or an event with SourceService and DestinationService: names of /etc/services, null where there is none.</summary>
    public static PSObject Of(ConntrackEntry entry)
    {
        PSObject result = Mark(entry);
        result.Properties.Add(new PSNoteProperty("SourceService", NameOf(entry, entry.SourcePort)));
        result.Properties.Add(new PSNoteProperty("DestinationService", NameOf(entry, entry.DestinationPort)));
        return result;
    }

    /// <summary>A group with ServiceName: its name, with services in place of ports.</summary>
    public static PSObject Of(ConntrackGroup group)
    {
        PSObject result = InputGroup.ToObject(group);
        result.TypeNames.Insert(0, typeof(ConntrackGroup).FullName + Suffix);
        result.Properties.Add(new PSNoteProperty("ServiceName", group.NameBy(ServiceNames.System)));
        return result;
    }

    /// <summary>The name of a port of an entry; null where it has none.</summary>
    public static string? NameOf(ConntrackEntry entry, ushort? port) =>
        port is { } number ? ServiceNames.System.NameOf(entry.Protocol, number) : null;

    /// <summary>The type's name selects the view.</summary>
    private static PSObject Mark(object item)
    {
        PSObject result = new(item);
        result.TypeNames.Insert(0, item.GetType().FullName + Suffix);
        return result;
    }
}

/// <summary>Colours as $PSStyle has them. PowerShell takes them out again where NO_COLOR, $PSStyle.OutputRendering or a
/// redirection says so.</summary>
internal static class StyleCodes
{
    public static readonly string Green = Foreground("Green"), Yellow = Foreground("Yellow"), Gray = Foreground("BrightBlack");

    public static readonly string Reset = "\u001b[0m";

    /// <summary>PSStyle came after the library that this module is compiled against.</summary>
    private static string Foreground(string colour)
    {
        object? style = typeof(PSObject).Assembly.GetType("System.Management.Automation.PSStyle")?.GetProperty("Instance")?.GetValue(null);
        return style is null ? "" : PSObject.AsPSObject(PSObject.AsPSObject(style).Properties["Foreground"].Value).Properties[colour]?.Value as string ?? "";
    }
}
