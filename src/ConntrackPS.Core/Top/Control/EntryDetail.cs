using System.Globalization;
using System.Reflection;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Top.Control;

/// <summary>All that an entry says, for the pane of one entry.</summary>
internal static class EntryDetail
{
    private static readonly PropertyInfo[] Properties = typeof(ConntrackEntry).GetProperties();

    /// <summary>Each property that is not null, by name.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> Of(ConntrackEntry entry) =>
        [.. from property in Properties
            let value = property.GetValue(entry)
            where value is not null
            select KeyValuePair.Create(property.Name, Convert.ToString(value, CultureInfo.InvariantCulture) ?? "")];
}
