using System.Text.Json;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Rules;

/// <summary>A persisted rule: a file for nft that holds the rule's table.</summary>
/// <param name="Name">The name of the rule and of its table.</param>
/// <param name="File">The path of the file.</param>
/// <param name="Filter">The traffic. Null if the file was changed so that it can't be read back.</param>
/// <param name="Action">The effect on the traffic. Null as for the filter.</param>
internal sealed record RuleFile(RuleName Name, string File, ConntrackFilter? Filter, RuleAction? Action)
{
    /// <summary>The end of the file's name.</summary>
    public const string Extension = ".nft";

    /// <summary>The line that this library reads. nft skips it as a comment.</summary>
    private const string Marker = "# rule: ";

    /// <summary>The content of the file of a rule. nft can load it again and again: it replaces the table.</summary>
    /// <param name="name">The name.</param>
    /// <param name="filter">The traffic.</param>
    /// <param name="action">The effect on the traffic.</param>
    /// <param name="remover">The command that removes a rule by its name. Null for none.</param>
    public static ConfigText Write(RuleName name, ConntrackFilter filter, RuleAction action, string? remover) => ConfigText.Parse(null).With(
    [
        "# Written by ConntrackPS." + (remover is null ? "" : $" To remove it: {remover} {name}"),
        $"# {action.Effect}: {filter}",
        Marker + JsonSerializer.Serialize(new Content(FilterFields.Write(filter), action)),
        $"table inet {name}",
        $"delete table inet {name}",
        .. Table(name.ToString(), filter, action),
    ]);

    /// <summary>The table in the language of nft(8).</summary>
    public static IEnumerable<string> Table(string name, ConntrackFilter filter, RuleAction action) =>
        [$"table inet {name} {{", .. action.ToNft(PacketSelector.Of(filter)).Select(line => "    " + line), "}"];

    /// <summary>Reads a file.</summary>
    public static RuleFile Parse(RuleName name, string file, ConfigText text)
    {
        string? line = text.Lines.Select(ConfigText.Content).FirstOrDefault(line => line.StartsWith(Marker, StringComparison.Ordinal));
        try
        {
            Content? content = line is null ? null : JsonSerializer.Deserialize<Content>(line[Marker.Length..]);
            if (content is { Traffic: { } traffic, Action: { } action } && action.Kind == name.Kind)
                return new RuleFile(name, file, FilterFields.Read(traffic), action);
        }
        catch (Exception exception) when (exception is JsonException or FormatException or NotSupportedException or ArgumentException)
        {
            // The line was changed. The table is still ours by its name.
        }

        return new RuleFile(name, file, null, null);
    }

    private sealed record Content(Dictionary<string, string[]>? Traffic, RuleAction? Action);
}

/// <summary>The conditions of a filter for packets as names and texts, and back.</summary>
internal static class FilterFields
{
    public static Dictionary<string, string[]> Write(ConntrackFilter filter) => filter.Terms.ToDictionary(
        term => term.Property,
        term => TupleProperties.TryFind(term.Property, out TupleProperty? property) ? Texts(property, filter)
            : term.Property == nameof(ConntrackFilter.Protocol) ? [.. filter.Protocol.Select(protocol => protocol.ToString())]
            : [filter.AddressFamily.ToString()]);

    /// <exception cref="FormatException">A value is malformed, or a name is unknown.</exception>
    public static ConntrackFilter Read(Dictionary<string, string[]> fields)
    {
        ConntrackFilter filter = new();
        foreach ((string name, string[] texts) in fields)
        {
            filter = TupleProperties.TryFind(name, out TupleProperty? property) ? Set(property, filter, texts)
                : name == nameof(ConntrackFilter.Protocol) ? filter with { Protocol = [.. texts.Select(Enum.Parse<IPProtocol>)] }
                : name == nameof(ConntrackFilter.AddressFamily) ? filter with { AddressFamily = Enum.Parse<IPFamily>(texts[0]) }
                : throw new FormatException($"'{name}' is not a condition on packets.");
        }

        return filter;
    }

    private static string[] Texts(TupleProperty property, ConntrackFilter filter) => property switch
    {
        AddressProperty addresses => [.. addresses.Of(filter).Select(prefix => prefix.ToString())],
        PortProperty ports => [.. ports.Of(filter).Select(range => range.ToString())],
        _ => throw new UnsupportedConditionException(property.Name),
    };

    private static ConntrackFilter Set(TupleProperty property, ConntrackFilter filter, string[] texts) => property switch
    {
        AddressProperty addresses => addresses.Set(filter, [.. texts.Select(AddressPrefix.Parse)]),
        PortProperty ports => ports.Set(filter, [.. texts.Select(PortRange.Parse)]),
        _ => throw new FormatException($"'{property.Name}' is not a condition on packets."),
    };
}
