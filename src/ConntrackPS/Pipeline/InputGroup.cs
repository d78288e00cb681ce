using System.Management.Automation;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Terminal;

namespace ConntrackPS.Pipeline;

/// <summary>A group of Measure-ConntrackEntry in the pipeline, live or deserialised, which stands for a filter.</summary>
/// <param name="Name">The values that its entries have in common.</param>
/// <param name="Namespace">The network namespace that was counted; null for the caller's own.</param>
/// <param name="Source">The object.</param>
internal sealed record InputGroup(string Name, string? Namespace, PSObject Source)
{
    /// <summary>What stands in the place of a filter where every entry was counted.</summary>
    public const string EveryEntry = "*";

    /// <summary>The group that an object is; null for an object that is none.</summary>
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
        return new InputGroup(properties.Text("Name") ?? "", properties.Text("Namespace"), input);
    }

    /// <summary>The filter that lets through the group's entries and no others.</summary>
    /// <exception cref="FormatException">There is none; the message completes a sentence.</exception>
    public ConntrackFilter ToFilter()
    {
        ConntrackFilter filter = (Source.BaseObject is ConntrackGroup live ? live.ToFilter() : Read(new PropertyBag(Source)))
            ?? throw new FormatException("it was counted from objects, which may not be the entries in the table. Pipe the objects themselves.");
        return filter.NamesEntries ? filter : throw new FormatException("it contains every entry of the table.");
    }

    /// <summary>Gives a group its own properties by name, before all others.</summary>
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

            // A value that is gone is not the same as none: it would name the entries that have none.
            if (Source.Properties[property.Name] is null)
                throw new FormatException($"it was made by {property.Name}, and has no such property.");
            values.Add((property, properties.Text(property.Name)));
        }

        return ConntrackGroup.FilterOf(values, within);
    }
}
