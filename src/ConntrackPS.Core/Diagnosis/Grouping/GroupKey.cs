using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Diagnosis.Grouping;

/// <summary>What makes a group: the values its entries have in common, and the filter under which they were counted.</summary>
/// <param name="properties">The properties.</param>
/// <param name="values">The value of each.</param>
/// <param name="context">What the values mean.</param>
/// <param name="within">The filter; null where entries came from elsewhere than the table.</param>
internal sealed class GroupKey(
    IReadOnlyList<GroupProperty> properties, GroupValue[] values, GroupContext context, ConntrackFilter? within)
{
    /// <summary>The names and values, null for a value that entries don't have.</summary>
    public IReadOnlyList<KeyValuePair<string, object?>> Pairs() =>
        [.. properties.Select((property, i) => KeyValuePair.Create(property.Name, property.Show(values[i], context)))];

    /// <summary>The filter that lets through what was counted for the group, and nothing else; null where there is none.
    /// </summary>
    /// <remarks>A value goes into the filter's own property, so that the kernel gets its share, wherever that says the
    /// same. Where it would say more, or something is asked of the property already, the entry's value is compared.</remarks>
    public ConntrackFilter? ToFilter()
    {
        if (within is null)
            return null;
        ConntrackFilter filter = within;
        List<FilterTerm> conditions = [.. within.Conditions];
        for (int i = 0; i < values.Length; i++)
        {
            GroupProperty property = properties[i];
            ConntrackFilter? narrowed = values[i].IsAbsent ? null : property.Narrow?.Invoke(filter, values[i], context);
            filter = narrowed ?? filter;
            if (narrowed is null || !property.IsExact)
                conditions.Add(Condition(property, values[i]));
        }

        return filter with { Conditions = conditions };
    }

    /// <summary>The values on one line.</summary>
    public override string ToString() => string.Join(", ", Pairs().Select(pair => pair.Value?.ToString() ?? "-"));

    private FilterTerm Condition(GroupProperty property, GroupValue value)
    {
        GroupContext meaning = context;
        return new FilterTerm(
            nameof(ConntrackFilter.Conditions),
            value.IsAbsent ? $"no {property.Name}" : $"{property.Name} {property.Show(value, meaning)}",
            entry => property.Read(entry, meaning) == value,
            IsTrivial: property.IsTrivial(value, meaning));
    }
}
