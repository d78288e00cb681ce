using System.ComponentModel;
using System.Globalization;
using System.Management.Automation;
using System.Text;
using ConntrackPS.Blocking;
using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Events;
using ConntrackPS.Expectations;
using ConntrackPS.Helpers;
using ConntrackPS.Pipeline;
using ConntrackPS.Rules;
using ConntrackPS.Tuning.Policies;
using ConntrackPS.Tuning.Settings;

namespace ConntrackPS.Formatting;

/// <summary>The values of entries for the views in ConntrackPS.format.ps1xml. ConntrackPS.types.ps1xml attaches them as hidden code
/// properties, which are much faster than script blocks.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class EntryView
{
    private static readonly string[] Protocols = [.. Enumerable.Range(0, 256).Select(number => ((IPProtocol)number).ToString())];

    private static readonly string[] States = [.. Enumerable.Range(0, 256).Select(number => Colour((ConntrackState)number))];

    /// <summary>The name of the protocol, cached, because the table would create the text again for each row.</summary>
    public static string? Protocol(PSObject entry) => Value<IPProtocol>(entry, nameof(Protocol), live => live.Protocol) is { } protocol
        ? Protocols[(int)protocol]
        : null;

    /// <summary>The state, in the colour of its phase.</summary>
    public static string? State(PSObject entry) => Value<ConntrackState>(entry, nameof(State), live => live.State) is { } state
        ? States[(int)state]
        : null;

    /// <summary>The change of an event, in the colour of the state if it is a state.</summary>
    public static string? Change(PSObject happened) =>
        Value<ConntrackEventType>(happened, nameof(ConntrackEvent.EventType), live => ((ConntrackEvent)live).EventType) is not { } type ? null
        : type == ConntrackEventType.Update && State(happened) is { } state ? state
        : type.ToString();

    /// <summary>The status bits, green with a reply and yellow without.</summary>
    public static string Status(PSObject entry)
    {
        ConntrackStatus status = Entry(entry).Status;
        return Paint(status.ToString(), (status & ConntrackStatus.SeenReply) != 0 ? StyleCodes.Green : StyleCodes.Yellow);
    }

    /// <summary>Source and destination with their ports and their translations:
    /// "10.0.0.7:4000 as 198.51.100.1:4000 -> 203.0.113.9:80 at 192.0.2.9:8080".</summary>
    /// <remarks>It is one text, because four columns with an IPv6 address and a port are too wide for a terminal.</remarks>
    public static string Translated(PSObject entry)
    {
        ConntrackEntry of = Entry(entry);
        string text = Source(of);
        if (Translation.OfSource(of))
            text += " as " + Endpoint(of, of.ReplyDestinationAddress, of.ReplyDestinationPort);
        text += " -> " + Destination(of);
        return Translation.OfDestination(of) ? text + " at " + Endpoint(of, of.ReplySourceAddress, of.ReplySourcePort) : text;
    }

    /// <summary>Source and destination with their ports.</summary>
    public static string Endpoints(PSObject entry)
    {
        ConntrackEntry of = Entry(entry);
        return $"{Source(of)} -> {Destination(of)}";
    }

    /// <summary>The translation in lines that fit the Nat view on 80 columns.</summary>
    public static string TranslatedLines(PSObject entry) => TextLines.Wrap(Translated(entry), 71);

    /// <summary>Source and destination in lines that fit the Status view on 80 columns.</summary>
    public static string EndpointLines(PSObject entry) => TextLines.Wrap(Endpoints(entry), 50);

    /// <summary>The service of the destination port, or the port if it has none.</summary>
    public static object? Service(PSObject entry) =>
        (object?)ServiceView.NameOf(Entry(entry), Entry(entry).DestinationPort) ?? Entry(entry).DestinationPort;

    /// <summary>The entry, or one built from the properties of a deserialised object.</summary>
    private static ConntrackEntry Entry(PSObject entry) => entry.BaseObject as ConntrackEntry ?? EntryFromProperties.Read(entry);

    /// <summary>One value. Of a deserialised object, only this value is read.</summary>
    private static T? Value<T>(PSObject entry, string name, Func<ConntrackEntry, T?> read)
        where T : struct
    {
        if (entry.BaseObject is ConntrackEntry live)
            return read(live);
        return Enum.TryParse(entry.Properties[name]?.Value?.ToString(), out T value) ? value : null;
    }

    private static string Source(ConntrackEntry entry) => Endpoint(entry, entry.SourceAddress, entry.SourcePort);

    private static string Destination(ConntrackEntry entry) => Endpoint(entry, entry.DestinationAddress, entry.DestinationPort);

    private static string Endpoint(ConntrackEntry entry, string? address, ushort? port)
    {
        address ??= "?";
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

/// <summary>The values of rules for their view.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class RuleView
{
    private const string Entries = "entries with ";

    /// <summary>The effect and the traffic.</summary>
    public static string? Rule(PSObject rule)
    {
        string? traffic = rule.Properties[nameof(ConntrackRule.Traffic)]?.Value?.ToString(), effect = rule.Properties[nameof(ConntrackRule.Effect)]?.Value?.ToString();
        if (traffic is null || effect is null)
            return null;
        return $"{effect}: {(traffic.StartsWith(Entries, StringComparison.Ordinal) ? traffic[Entries.Length..] : traffic)}";
    }

    /// <summary>The same in lines that fit the table on 80 columns.</summary>
    public static string? Lines(PSObject rule) => Rule(rule) is { } text ? TextLines.Wrap(text, 39) : null;
}

/// <summary>The values of blocks for their view.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class BlockView
{
    /// <summary>The blocked traffic, in lines that fit the table on 80 columns.</summary>
    public static string? Traffic(PSObject block) =>
        block.Properties[nameof(Traffic)]?.Value is { } traffic ? TextLines.Wrap(traffic.ToString() ?? "", 48) : null;
}

/// <summary>Marks objects from several network namespaces with a type name. The views for these type names have a column with the
/// namespace.</summary>
internal static class NamespacedRow
{
    /// <summary>The suffix of the type name.</summary>
    private const string Suffix = "#Namespaced";

    /// <summary>The types that have such a view.</summary>
    private static readonly Dictionary<Type, string> Names = new Type[]
    {
        typeof(ConntrackEntry), typeof(ConntrackEvent), typeof(ConntrackGroup), typeof(ConntrackCpuStat), typeof(ConntrackExpectation),
        typeof(ConntrackSetting), typeof(ConntrackTimeoutPolicy), typeof(ConntrackBlock), typeof(ConntrackFinding), typeof(ConntrackRepair),
        typeof(ConntrackHelper), typeof(ConntrackRule),
    }.ToDictionary(type => type, type => type.FullName + Suffix);

    /// <summary>True for a row that was marked, also one that came through Clixml or over the wire since.</summary>
    public static bool IsMarked(PSObject row) => row.TypeNames.Any(name => name.EndsWith(Suffix, StringComparison.Ordinal));

    /// <summary>True for a row of CSV or JSON. Such a row has lost its mark.</summary>
    public static bool HasLostItsType(PSObject row) =>
        row.BaseObject is PSCustomObject && !row.TypeNames.Any(name => name.StartsWith("Deserialized.", StringComparison.Ordinal));

    public static object? Mark(object? item)
    {
        if (item is null)
            return null;
        PSObject marked = PSObject.AsPSObject(item);
        if (!Names.TryGetValue(marked.BaseObject.GetType(), out string? name))
            return item;
        marked.TypeNames.Insert(0, name);
        return marked;
    }
}

/// <summary>Wraps text between words. PowerShell's tables wrap anywhere, also within an address.</summary>
internal static class TextLines
{
    public static string Wrap(string text, int width)
    {
        if (text.Length <= width)
            return text;
        StringBuilder lines = new(text.Length);
        int length = 0;
        foreach (string word in text.Split(' '))
        {
            bool fits = length == 0 || length + 1 + word.Length <= width;
            if (lines.Length > 0)
                lines.Append(fits ? ' ' : '\n');
            lines.Append(word);
            length = fits && length > 0 ? length + 1 + word.Length : word.Length;
        }

        return lines.ToString();
    }
}

/// <summary>Creates objects with the services of their ports, which are shown with these services. The ports stay numbers.</summary>
internal static class ServiceView
{
    private const string Suffix = "#Service";

    /// <summary>An entry or an event with SourceService and DestinationService: names of /etc/services; null if there is none.</summary>
    public static PSObject Of(ConntrackEntry entry)
    {
        PSObject result = Mark(new PSObject(entry));
        result.Properties.Add(new PSNoteProperty("SourceService", NameOf(entry, entry.SourcePort)));
        result.Properties.Add(new PSNoteProperty("DestinationService", NameOf(entry, entry.DestinationPort)));
        return result;
    }

    /// <summary>A group with ServiceName: its name, with services instead of ports.</summary>
    public static PSObject Of(ConntrackGroup group)
    {
        PSObject result = Mark(InputGroup.ToObject(group));
        result.Properties.Add(new PSNoteProperty("ServiceName", group.NameBy(ServiceNames.System)));
        return result;
    }

    /// <summary>The service of a port of an entry; null if there is none.</summary>
    public static string? NameOf(ConntrackEntry entry, ushort? port) =>
        port is { } number ? ServiceNames.System.NameOf(entry.Protocol, number) : null;

    /// <summary>The type's name selects the view.</summary>
    private static PSObject Mark(PSObject row)
    {
        row.TypeNames.Insert(0, row.BaseObject.GetType().FullName + Suffix);
        return row;
    }
}

/// <summary>The colours of $PSStyle. PowerShell removes them if NO_COLOR, $PSStyle.OutputRendering or a redirection asks for it.</summary>
internal static class StyleCodes
{
    public static readonly string Green = Foreground("Green"), Yellow = Foreground("Yellow"), Gray = Foreground("BrightBlack");

    public static readonly string Reset = "\u001b[0m";

    /// <summary>Reads PSStyle by reflection, because the library that this module is compiled with does not have it.</summary>
    private static string Foreground(string colour)
    {
        object? style = typeof(PSObject).Assembly.GetType("System.Management.Automation.PSStyle")?.GetProperty("Instance")?.GetValue(null);
        return style is null ? "" : PSObject.AsPSObject(PSObject.AsPSObject(style).Properties["Foreground"].Value).Properties[colour]?.Value as string ?? "";
    }
}
