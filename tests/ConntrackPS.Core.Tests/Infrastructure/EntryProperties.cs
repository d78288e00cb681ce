using System.Globalization;
using System.Reflection;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>All that an entry says, by property name, so that no test forgets a property that is added later.</summary>
internal static class EntryProperties
{
    private static readonly PropertyInfo[] All = typeof(ConntrackEntry).GetProperties();

    /// <summary>The properties that are not null, as text; times in UTC.</summary>
    public static SortedDictionary<string, string> Of(ConntrackEntry entry, params string[] without)
    {
        SortedDictionary<string, string> values = new(StringComparer.Ordinal);
        foreach (PropertyInfo property in All)
        {
            if (!without.Contains(property.Name) && property.GetValue(entry) is { } value)
                values.Add(property.Name, ToText(value));
        }

        return values;
    }

    /// <summary>Fails unless both entries say the same, the named properties aside.</summary>
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
