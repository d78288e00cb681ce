using System.Management.Automation;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Terminal;

namespace ConntrackPS.Pipeline;

/// <summary>A group of Measure-ConntrackEntry in the pipeline, live or deserialised. It is used as a filter.</summary>
/// <param name="Name">The values that its entries have in common.</param>
/// <param name="Namespace">The network namespace that was counted; null for the caller's own.</param>
/// <param name="Source">The object.</param>
internal sealed record InputGroup(string Name, string? Namespace, PSObject Source)
{
    /// <summary>The text that replaces a filter if every entry was counted.</summary>
    public const string EveryEntry = "*";

    /// <summary>Reads a group; null if the object is not a group.</summary>
    public static InputGroup? TryRead(PSObject input)
    {
        if (input.BaseObject is ConntrackGroup live)
            return new InputGroup(live.Name, live.Namespace, input);
        if (input.BaseObject is not PSCustomObject || input.Properties[nameof(ConntrackGroup.GroupBy)] is null
            || input.Properties[nameof(ConntrackGroup.Filter)] is null || input.Properties[nameof(ConntrackGroup.Percent)] is null)
        {
            return null;
        }

        PropertyBag properties = new(input);
        return new InputGroup(properties.Text("Name") ?? "", properties.Namespace, input);
    }

    /// <summary>The filter that matches the entries of the group and no others.</summary>
    /// <exception cref="FormatException">There is no such filter. The message completes a sentence.</exception>
    public ConntrackFilter ToFilter()
    {
        ConntrackFilter filter = (Source.BaseObject is ConntrackGroup live ? live.ToFilter() : Read(new PropertyBag(Source)))
            ?? throw new FormatException("it was counted from objects, which may not be the entries in the table. Pipe the objects themselves.");
        return filter.NamesEntries ? filter : throw new FormatException("it contains every entry of the table.");
    }

    /// <summary>Adds the properties that the group was made by, before all others.</summary>
    public static PSObject ToObject(ConntrackGroup group)
    {
        PSObject result = new(group);
        foreach ((string name, object? value) in group.GetValues())
        {
            if (result.Properties[name] is null)
                result.Properties.Add(new PSNoteProperty(name, value));
        }

        return result;
    }

    private ConntrackFilter? Read(PropertyBag properties)
    {
        if (properties.Text(nameof(ConntrackGroup.Filter)) is not { } text)
            return null;
        ConntrackFilter within = text == EveryEntry ? new ConntrackFilter() : FilterLine.Parse(text);
        List<(GroupProperty, string?)> values = [];
        foreach (string name in (properties.Text(nameof(ConntrackGroup.GroupBy)) ?? throw new FormatException("it has no GroupBy.")).Split(','))
        {
            if (!GroupProperties.TryFind(name.Trim(), out GroupProperty? property))
                throw new FormatException($"it was made by '{name.Trim()}', which is not known.");

            // A missing property is an error. An empty value would select the entries that have no value.
            if (Source.Properties[property.Name] is null)
                throw new FormatException($"it was made by {property.Name}, but has no such property.");
            values.Add((property, properties.Text(property.Name)));
        }

        return ConntrackGroup.FilterOf(values, within);
    }
}
