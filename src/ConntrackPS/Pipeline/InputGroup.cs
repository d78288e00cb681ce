using System.Diagnostics.CodeAnalysis;
using System.Management.Automation;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Diagnosis.Grouping;

namespace ConntrackPS.Pipeline;

/// <summary>Groups of Measure-ConntrackEntry and the properties by which they were made, to and from the pipeline.</summary>
internal static class InputGroup
{
    /// <summary>Reads a group of the pipeline as the filter that it stands for.</summary>
    /// <remarks>Live groups only: one that was written to a file has lost the filter under which it was counted.</remarks>
    /// <param name="input">An object of the pipeline.</param>
    /// <param name="group">The group.</param>
    /// <returns>False for an object that is no group.</returns>
    public static bool TryRead(PSObject input, [NotNullWhen(true)] out ConntrackGroup? group)
    {
        group = input.BaseObject as ConntrackGroup;
        return group is not null;
    }

    /// <summary>The filter that lets through the group's entries and no others.</summary>
    /// <exception cref="FormatException">There is none; the message completes a sentence.</exception>
    public static ConntrackFilter FilterOf(ConntrackGroup group)
    {
        ConntrackFilter filter = group.ToFilter()
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
}
