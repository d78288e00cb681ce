using System.ComponentModel;
using System.Globalization;
using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Formatting;

/// <summary>What the views in ConntrackPS.format.ps1xml show of an entry: hidden properties that ConntrackPS.types.ps1xml
/// attaches, since one costs a fraction of a script block.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class EntryView
{
    private static readonly string?[] States = [.. Enumerable.Range(0, 256).Select(number => Colour((ConntrackState)number))];

    /// <summary>The state, in a colour that tells what to think of it.</summary>
    public static string? State(PSObject entry) => Entry(entry).State is { } state ? States[(int)state] : null;

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

    private static ConntrackEntry Entry(PSObject entry) => (ConntrackEntry)entry.BaseObject;

    private static string Endpoint(ConntrackEntry entry, string address, ushort? port)
    {
        if (port is not { } number)
            return address;
        return entry.AddressFamily == IPFamily.IPv6
            ? string.Create(CultureInfo.InvariantCulture, $"[{address}]:{number}")
            : string.Create(CultureInfo.InvariantCulture, $"{address}:{number}");
    }

    private static string Colour(ConntrackState state) => Paint(state.ToString(), state switch
    {
        ConntrackState.Established or ConntrackState.Open => StyleCodes.Green,
        ConntrackState.SynSent or ConntrackState.SynRecv or ConntrackState.SynSent2 or ConntrackState.CookieWait
            or ConntrackState.CookieEchoed or ConntrackState.Request or ConntrackState.Respond => StyleCodes.Yellow,
        _ => StyleCodes.Gray,
    });

    private static string Paint(string text, string colour) => colour.Length == 0 ? text : colour + text + StyleCodes.Reset;
}
