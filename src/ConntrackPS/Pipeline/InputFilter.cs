using System.Globalization;
using System.Management.Automation;
using System.Net;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Pipeline;

/// <summary>An object of the pipeline that has a part of a tuple: an address as text, or a row of Import-Csv with only a SourceAddress.
/// Reading cmdlets use it as a filter. The errors of other cmdlets show how to write one.</summary>
/// <param name="Filter">The filter for entries that have the values of the object.</param>
/// <param name="Parameters">The filter as parameters.</param>
internal sealed record InputFilter(ConntrackFilter Filter, string Parameters)
{
    /// <summary>Reads an object.</summary>
    /// <returns>Null if it has no part of a tuple, has a value that can't be read, or has an Id or an AddressFamily and so is an
    /// incomplete entry.</returns>
    public static InputFilter? TryRead(PSObject input)
    {
        try
        {
            InputFilter? read = input.BaseObject switch
            {
                string text => OfAddress(text),
                IPAddress address => OfAddress(address.ToString()),
                PSCustomObject => OfProperties(new PropertyBag(input)),
                _ => null,
            };
            return read?.Filter.Contradiction is null && read?.Filter.NamesEntries == true ? read : null;
        }
        catch (Exception exception) when (exception is FormatException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>The filter that lets through one entry, and its events.</summary>
    public static InputFilter Of(EntryKey key)
    {
        ConntrackFilter addresses = key.IsByReply ? ExactTuple.ByAddresses(key.Reply!.Value, TupleDirection.Reply) : ExactTuple.ByAddresses(key.Original, TupleDirection.Original);
        return new(
            addresses with { Conditions = [new FilterTerm(nameof(ConntrackFilter.Conditions), key.Flow, key.Matches)] },
            string.Create(CultureInfo.InvariantCulture, $"the entry {key} {key.Id}"));
    }

    /// <summary>The filter that a group of Measure-ConntrackEntry stands for.</summary>
    public static InputFilter Of(InputGroup group, ConntrackFilter filter) => new(filter, $"the group {group.Name} among {filter}");

    /// <summary>The filter that matches what any of the filters matches.</summary>
    public static ConntrackFilter Any(IReadOnlyList<InputFilter> filters)
    {
        ConntrackFilter[] each = [.. filters.DistinctBy(filter => filter.Parameters).Select(filter => filter.Filter)];
        if (each.Length == 1)
            return each[0];

        // A property that all filters have becomes one condition, which the kernel may be able to apply. If no filter has another
        // property, that is the whole filter.
        TupleProperty[] common = [.. TupleProperties.All.Where(property => each.All(property.IsAsked))];
        ConntrackFilter any = common.Aggregate(new ConntrackFilter(), (filter, property) => property.AskAny(filter, each));
        return common.Length == 1 && filters.All(filter => filter.Parameters.Count(letter => letter == ' ') == 1)
            ? any
            : any with
            {
                Conditions = [new FilterTerm(nameof(ConntrackFilter.Conditions), "the values of one of the objects", entry => Array.Exists(each, filter => filter.Matches(entry)))],
            };
    }

    private static InputFilter OfAddress(string text) =>
        new(TupleProperties.AddressIn(TuplePlaces.OriginalSource).AskText(new ConntrackFilter(), text.Trim()), "-SourceAddress " + text.Trim());

    private static InputFilter? OfProperties(PropertyBag properties)
    {
        if (properties.Text("Id") is not null || properties.Text(PropertyBag.Family) is not null)
            return null;
        ConntrackFilter filter = new();
        List<string> parameters = [];
        foreach (TupleProperty property in TupleProperties.All)
        {
            if (properties.Text(property.Name) is not { } text)
                continue;
            filter = property.AskText(filter, text);
            parameters.Add($"-{property.Name} {text}");
        }

        if (parameters.Count == 0)
            return null;
        if (properties.Text("Protocol") is { } protocol)
        {
            filter = filter with { Protocol = [ProtocolNames.TryParse(protocol, out IPProtocol parsed) ? parsed : throw new FormatException(protocol)] };
            parameters.Add($"-Protocol {protocol}");
        }

        if (properties.Port("Zone") is { } zone)
        {
            filter = filter with { Zone = [zone] };
            parameters.Add(string.Create(CultureInfo.InvariantCulture, $"-Zone {zone}"));
        }

        return new InputFilter(filter, string.Join(' ', parameters));
    }
}
