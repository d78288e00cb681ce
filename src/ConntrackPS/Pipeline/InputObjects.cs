using System.Collections;
using System.Globalization;
using System.Management.Automation;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Pipeline;

/// <summary>The single objects of a pipeline object or a value of -InputObject: the elements of an array, and the objects of a group of
/// Group-Object.</summary>
internal static class InputObjects
{
    /// <summary>The objects of an array or a group, in their order.</summary>
    /// <exception cref="FormatException">A group has lost its objects, or an array has none; the message completes a sentence.</exception>
    public static IReadOnlyList<PSObject> Of(PSObject input)
    {
        List<PSObject> objects = [];
        Add(objects, input);
        return objects.Count > 0 ? objects : throw new FormatException("it is empty.");
    }

    /// <summary>True if it is a single object. This check is fast for entries, because a pipeline can have a million of them.</summary>
    public static bool IsOne(PSObject input) =>
        input.BaseObject is ConntrackEntry or string || (input.BaseObject is not IList && !IsGroup(input));

    private static void Add(List<PSObject> objects, PSObject input)
    {
        if (input.BaseObject is IList list)
            AddAll(objects, list);
        else if (IsGroup(input))
            AddAll(objects, ContentOf(input));
        else
            objects.Add(input);
    }

    /// <summary>Adds the elements of a list. A null becomes an object without properties, which the cmdlet refuses.</summary>
    private static void AddAll(List<PSObject> objects, IList list)
    {
        foreach (object? element in list)
            Add(objects, element is null ? new PSObject() : PSObject.AsPSObject(element));
    }

    /// <summary>True if it is a group of Group-Object. A group from a file or from remoting has lost its type.</summary>
    private static bool IsGroup(PSObject input) =>
        (input.BaseObject is PSCustomObject || input.BaseObject.GetType().Name.StartsWith("GroupInfo", StringComparison.Ordinal))
        && input.Properties["Group"] is not null && input.Properties["Values"] is not null && input.Properties["Count"] is not null;

    /// <summary>The objects of a group. If the group has fewer objects than its Count, it is refused.</summary>
    private static IList ContentOf(PSObject group)
    {
        object? value = group.Properties["Group"].Value;
        IList content = (value is PSObject wrapped ? wrapped.BaseObject : value) switch
        {
            IList list => list,
            ICollection some => new ArrayList(some),
            null or "" => Array.Empty<object>(),
            var one => new[] { value },
        };
        string count = new PropertyBag(group).Text("Count") ?? "";
        if (count == content.Count.ToString(CultureInfo.InvariantCulture))
            return content;
        throw new FormatException(content.Count == 0
            ? $"its Count is {count}, but it contains no objects: omit -NoElement of Group-Object."
            : $"its Count is {count}, but it contains {content.Count}.");
    }
}

/// <summary>Findings of Test-ConntrackHealth, live or deserialised.</summary>
internal static class InputFinding
{
    /// <exception cref="FormatException">The object is not a finding; the message completes a sentence.</exception>
    public static Diagnosis.Health.ConntrackFinding Read(PSObject input)
    {
        if (input.BaseObject is Diagnosis.Health.ConntrackFinding live)
            return live;
        PropertyBag properties = new(input);
        string severity = properties.Text("Severity") ?? throw new FormatException("it has no Severity.");
        return Enum.TryParse(severity, ignoreCase: true, out Diagnosis.Health.FindingSeverity parsed) && Enum.IsDefined(parsed)
            ? new Diagnosis.Health.ConntrackFinding(
                parsed,
                properties.Text("Name") ?? throw new FormatException("it has no Name."),
                properties.Text("Evidence") ?? "",
                properties.Text("Explanation") ?? "",
                properties.Text("Remedy"),
                properties.Namespace)
            : throw new FormatException($"its Severity '{severity}' is not known.");
    }
}
