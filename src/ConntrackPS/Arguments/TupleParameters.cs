using System.Collections.Concurrent;
using System.Management.Automation;
using System.Reflection;
using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Arguments;

/// <summary>Reads a cmdlet's parameters that ask for addresses, ports and what ICMP and GRE have instead, by the core's table of
/// them. A parameter is in the table under its own name; one that begins with Exclude leaves out what that would ask for.</summary>
internal static class TupleParameters
{
    private static readonly ConcurrentDictionary<Type, (TupleProperty Property, PropertyInfo Parameter, bool IsExclusion)[]> OfCmdlets = [];

    /// <summary>The filter, with what the parameters ask for besides.</summary>
    public static ConntrackFilter Read(Cmdlet cmdlet, ConntrackFilter filter)
    {
        foreach ((TupleProperty property, PropertyInfo parameter, bool isExclusion) in OfCmdlets.GetOrAdd(cmdlet.GetType(), Find))
        {
            if (parameter.GetValue(cmdlet) is { } value)
                filter = isExclusion ? property.Leave(filter, value) : property.Ask(filter, value);
        }

        return filter;
    }

    private static (TupleProperty Property, PropertyInfo Parameter, bool IsExclusion)[] Find(Type cmdlet) =>
    [
        .. from property in TupleProperties.All
           from isExclusion in (bool[])[false, true]
           let parameter = cmdlet.GetProperty(isExclusion ? property.ExcludeName : property.Name)
           where parameter?.GetCustomAttribute<ParameterAttribute>() is not null
           select (property, parameter, isExclusion),
    ];
}
