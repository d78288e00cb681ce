using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Diagnosis.Grouping;

/// <summary>A property of entries that they can be grouped by. <see cref="GroupProperties"/> has all of them.</summary>
public sealed class GroupProperty
{
    /// <summary>Makes a filter ask for a value; null where the filter asks for something of the kind already.</summary>
    internal delegate ConntrackFilter? Narrower(ConntrackFilter filter, GroupValue value, GroupContext context);

    internal GroupProperty(
        string name,
        string description,
        Func<ConntrackEntry, GroupContext, GroupValue> read,
        Func<GroupValue, GroupContext, object> show,
        Narrower? narrow)
    {
        (Name, Description, Read, ShowPresent, Narrow) = (name, description, read, show, narrow);
    }

    /// <summary>The property's name, that of <see cref="ConntrackEntry"/>'s where it has one.</summary>
    public string Name { get; }

    /// <summary>What it is, in a few words.</summary>
    public string Description { get; }

    /// <summary>Reads the value of an entry.</summary>
    internal Func<ConntrackEntry, GroupContext, GroupValue> Read { get; }

    /// <summary>True where <see cref="Narrow"/> asks for exactly the entries of the value.</summary>
    internal bool IsExact { get; init; } = true;

    /// <summary>True for a value that lets every entry through, such as an address of which no bit counts.</summary>
    internal Func<GroupValue, GroupContext, bool> IsTrivial { get; init; } = (_, _) => false;

    /// <summary>Null where no filter's property is of the kind.</summary>
    internal Narrower? Narrow { get; }

    private Func<GroupValue, GroupContext, object> ShowPresent { get; }

    /// <summary>The property's name.</summary>
    public override string ToString() => Name;

    /// <summary>The value as the property of an entry has it; null for none.</summary>
    internal object? Show(GroupValue value, GroupContext context) => value.IsAbsent ? null : ShowPresent(value, context);
}
