using System.Reflection;
using ConntrackPS.Conntrack;
using ConntrackPS.Events;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack;

/// <summary>Every property of an entry survives each kind of copy. Reflection finds the properties to set and to compare, so that later
/// ones are included.</summary>
public sealed class EntryCopyTests
{
    private const BindingFlags Instance = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

    private static readonly PropertyInfo[] Properties =
        [.. typeof(ConntrackEntry).GetProperties(BindingFlags.Instance | BindingFlags.Public)];

    /// <summary>Ports, ICMP fields and GRE keys belong to different protocols.</summary>
    private static readonly ConntrackEntry[] Samples =
    [
        Entries.Tcp("192.0.2.1", 4001, "198.51.100.7", 80),
        Entries.Icmp("192.0.2.1", "198.51.100.7", 8, 3, 77),
        Entries.Make(IPProtocol.Gre, "2001:db8::1", 6, "2001:db8::7", 7),
    ];

    public static TheoryData<string> Copies => [.. Copiers.Keys];

    private static Dictionary<string, Func<ConntrackEntry, ConntrackEntry>> Copiers { get; } = new()
    {
        ["Clone"] = entry => entry.Clone(),
        ["CloneAs an event"] = entry => entry.CloneAs(new ConntrackEvent(ConntrackEventType.New)),
        ["CloneAs over an entry that has everything"] = entry => entry.CloneAs(Filled(Samples[2], 1000)),
    };

    [Theory]
    [MemberData(nameof(Copies))]
    public void Every_property_survives(string copier)
    {
        HashSet<string> seen = [];
        foreach (ConntrackEntry sample in Samples)
        {
            ConntrackEntry entry = Filled(sample, 1);
            ConntrackEntry copy = Copiers[copier](entry);
            foreach (PropertyInfo property in Properties)
            {
                object? value = property.GetValue(entry);
                Assert.True(Equals(value, property.GetValue(copy)), $"{property.Name} is {value}, and {property.GetValue(copy)} in the copy");
                if (value is not null && !value.Equals(Activator.CreateInstance(property.PropertyType.IsValueType ? property.PropertyType : typeof(object))))
                    seen.Add(property.Name);
            }
        }

        Assert.Empty(Properties.Select(property => property.Name).Except(seen));
    }

    [Fact]
    public void A_copy_shares_nothing_that_can_be_changed()
    {
        ConntrackEntry entry = Filled(Samples[0], 1), copy = entry.Clone();
        string[] before = Values(copy);
        Fill(entry, 5000);
        entry.Details!.Helper = "another";
        Assert.Equal(before, Values(copy));
        entry.Reset();
        Assert.Equal(before, Values(copy));
    }

    [Fact]
    public void Nothing_is_left_after_a_reset()
    {
        ConntrackEntry entry = Filled(Samples[0], 1);
        entry.Reset();
        Assert.Equal(Values(new ConntrackEntry()), Values(entry));
    }

    private static string[] Values(ConntrackEntry entry) => [.. Properties.Select(property => $"{property.Name}={property.GetValue(entry)}")];

    /// <summary>An entry with the sample's tuples, and a different number in each field.</summary>
    private static ConntrackEntry Filled(ConntrackEntry sample, int first)
    {
        ConntrackEntry entry = new();
        Fill(entry, first);
        (entry.Original, entry.Reply, entry.Details!.Master) = (sample.Original, sample.Reply, Samples[0].Original);
        entry.Details.Labels = default(LabelBits).With(first % 128);

        // All flags of present values, and none that means 0 or unknown.
        entry.Fields = Enum.GetValues<EntryFields>().Aggregate((all, field) => all | field) & ~(EntryFields.UnusedSynproxy | EntryFields.UnknownMark);
        return entry;
    }

    private static int Fill(object target, int number)
    {
        foreach (FieldInfo field in target.GetType().GetFields(Instance).Where(field => !field.IsInitOnly))
        {
            Type type = Nullable.GetUnderlyingType(field.FieldType) ?? field.FieldType;
            if (type == typeof(ConntrackTuple) || type == typeof(LabelBits))
                continue;
            object value = type switch
            {
                _ when type == typeof(string) => $"text {++number}",
                _ when type.IsEnum => Enum.ToObject(type, (++number % 7) + 1),
                _ when type == typeof(SequenceAdjustment) => new SequenceAdjustment((uint)++number, ++number, ++number),
                _ when type.IsPrimitive => Convert.ChangeType(++number % 120 + 1, type, System.Globalization.CultureInfo.InvariantCulture),
                _ when type == typeof(ExtraWords) => ExtraWords.Of(new Dictionary<string, string> { ["word"] = $"{++number}" })!,
                _ => Activator.CreateInstance(type, nonPublic: true)!,
            };
            if (!type.IsEnum && !type.IsPrimitive && !type.IsInterface && type != typeof(string) && type != typeof(SequenceAdjustment))
                number = Fill(value, number);
            field.SetValue(target, value);
        }

        return number;
    }
}
