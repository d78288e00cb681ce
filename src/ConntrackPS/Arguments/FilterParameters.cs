using System.Collections.Concurrent;
using System.Management.Automation;
using System.Reflection;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Arguments;

/// <summary>Builds filters from a cmdlet's parameters. A parameter has the name of the filter's property.</summary>
internal static class FilterParameters
{
    /// <summary>The parameter set in which cmdlets select by filter.</summary>
    public const string Set = "Filter";

    private static readonly ConcurrentDictionary<Type, (TupleProperty Property, PropertyInfo Parameter, bool IsExclusion)[]> OfTuples = [];
    private static readonly ConcurrentDictionary<Type, (PropertyInfo Property, PropertyInfo Parameter)[]> OfExclusions = [];
    private static readonly ConcurrentDictionary<(Type Cmdlet, Type Filter), (PropertyInfo Property, PropertyInfo Parameter)[]> OfFilters = [];

    /// <summary>The filter of all parameters of the set.</summary>
    public static ConntrackFilter Read(Cmdlet cmdlet) => ReadTuple(cmdlet, Leave(cmdlet, Fill(cmdlet, new ConntrackFilter())));

    /// <summary>The filter without what -Exclude parameters name that are not of the table of tuple properties.</summary>
    private static ConntrackFilter Leave(Cmdlet cmdlet, ConntrackFilter filter)
    {
        foreach ((PropertyInfo property, PropertyInfo parameter) in OfExclusions.GetOrAdd(cmdlet.GetType(), FindExclusions))
        {
            if (parameter.GetValue(cmdlet) is not { } value)
                continue;
            ConntrackFilter excluded = new();
            property.SetValue(excluded, Convert(value, property));
            filter = filter with { Exclude = [.. filter.Exclude, excluded] };
        }

        return filter;
    }

    /// <summary>Adds the conditions on addresses, ports, and the ICMP and GRE values, whatever parameter set they belong to.</summary>
    public static ConntrackFilter ReadTuple(Cmdlet cmdlet, ConntrackFilter filter)
    {
        foreach ((TupleProperty property, PropertyInfo parameter, bool isExclusion) in OfTuples.GetOrAdd(cmdlet.GetType(), FindTuple))
        {
            if (parameter.GetValue(cmdlet) is { } value)
                filter = isExclusion ? property.Leave(filter, value) : property.Ask(filter, value);
        }

        return filter;
    }

    /// <summary>Sets the properties of a new filter that the cmdlet has a parameter for, except those in the table of tuple
    /// properties.</summary>
    /// <exception cref="InvalidCastException">The property cannot have a value of the parameter's type.</exception>
    public static T Fill<T>(Cmdlet cmdlet, T filter)
        where T : class
    {
        foreach ((PropertyInfo property, PropertyInfo parameter) in OfFilters.GetOrAdd((cmdlet.GetType(), typeof(T)), Find))
        {
            if (parameter.GetValue(cmdlet) is { } value)
                property.SetValue(filter, Convert(value, property));
        }

        return filter;
    }

    private static (TupleProperty Property, PropertyInfo Parameter, bool IsExclusion)[] FindTuple(Type cmdlet) =>
    [
        .. from property in TupleProperties.All
           from isExclusion in (bool[])[false, true]
           let parameter = cmdlet.GetProperty(isExclusion ? property.ExcludeName : property.Name)
           where parameter?.GetCustomAttribute<ParameterAttribute>() is not null
           select (property, parameter, isExclusion),
    ];

    /// <summary>Status bits have a property of their own for those that must not be set.</summary>
    private static (PropertyInfo Property, PropertyInfo Parameter)[] FindExclusions(Type cmdlet) =>
    [
        .. from property in typeof(ConntrackFilter).GetProperties()
           where property.CanWrite && !TupleProperties.TryFind(property.Name, out _) && typeof(ConntrackFilter).GetProperty("Exclude" + property.Name) is null
           let parameter = ParameterFor(cmdlet, "Exclude" + property.Name)
           where parameter is not null
           select (property, parameter),
    ];

    private static (PropertyInfo Property, PropertyInfo Parameter)[] Find((Type Cmdlet, Type Filter) pair) =>
    [
        .. from property in pair.Filter.GetProperties()
           where property.CanWrite && !(pair.Filter == typeof(ConntrackFilter) && TupleProperties.TryFind(property.Name, out _))
           let parameter = ParameterFor(pair.Cmdlet, property.Name)
           where parameter is not null && !IsObject(parameter)
           select (property, parameter),
    ];

    private static PropertyInfo? ParameterFor(Type cmdlet, string property) =>
        cmdlet.GetProperty(property) is { } parameter
        && parameter.GetCustomAttributes<ParameterAttribute>().Any(attribute => attribute.ParameterSetName == Set)
            ? parameter
            : null;

    /// <summary>Not for objects of the pipeline: their cmdlet reads them, because it can report errors.</summary>
    private static bool IsObject(PropertyInfo parameter) => parameter.PropertyType == typeof(PSObject) || parameter.PropertyType == typeof(PSObject[]);

    private static object Convert(object value, PropertyInfo property)
    {
        Type wanted = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        return value switch
        {
            _ when wanted.IsInstanceOfType(value) => value,
            SwitchParameter isGiven when wanted == typeof(bool) => isGiven.IsPresent,
            string[] bits when wanted == typeof(ConntrackStatus) => StatusArgumentAttribute.Read(bits),
            string[] states when wanted == typeof(IReadOnlyList<ConntrackState>) => Array.ConvertAll(states, StateArgumentAttribute.Read),
            TimeSpan span when wanted == typeof(uint) => (uint)span.TotalSeconds,
            long number when wanted == typeof(ulong) => checked((ulong)number),
            long[] numbers when wanted == typeof(IReadOnlyList<ushort>) => Array.ConvertAll(numbers, number => checked((ushort)number)),
            long[] numbers when wanted == typeof(IReadOnlyList<uint>) => Array.ConvertAll(numbers, number => checked((uint)number)),
            _ => throw new InvalidCastException($"{property.Name} can't be {value.GetType().Name}."),
        };
    }
}
