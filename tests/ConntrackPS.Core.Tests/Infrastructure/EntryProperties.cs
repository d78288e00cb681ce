using System.Globalization;
using System.Reflection;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>All properties of an entry or an expectation by name, so that tests include later properties.</summary>
internal static class EntryProperties
{
    /// <summary>The properties that are not null, as text, with times in UTC. For an event, only those of the entry. The age of an entry is
    /// left out, because it changes.</summary>
    public static SortedDictionary<string, string> Of(object said, params string[] without)
    {
        SortedDictionary<string, string> values = new(StringComparer.Ordinal);
        Type type = said is ConntrackEntry ? typeof(ConntrackEntry) : said.GetType();
        foreach (PropertyInfo property in type.GetProperties())
        {
            if (!without.Contains(property.Name) && property.Name != nameof(ConntrackEntry.Age) && property.GetValue(said) is { } value)
                values.Add(property.Name, ToText(value));
        }

        return values;
    }

    /// <summary>Fails unless both entries have the same values, except for the named properties.</summary>
    public static void AssertSame(ConntrackEntry expected, ConntrackEntry actual, params string[] without) =>
        Assert.Equal(Lines(Of(expected, without)), Lines(Of(actual, without)));

    private static string Lines(SortedDictionary<string, string> values) =>
        string.Join('\n', values.Select(pair => $"{pair.Key} = {pair.Value}"));

    private static string ToText(object value) => value switch
    {
        DateTime time => time.ToUniversalTime().ToString("O", CultureInfo.InvariantCulture),
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString()!,
    };
}
