using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis.Grouping;

namespace ConntrackPS.Arguments;

/// <summary>Reads names of properties to group by.</summary>
public sealed class GroupPropertyArgumentAttribute : ElementTransformationAttribute<GroupProperty>
{
    /// <inheritdoc/>
    protected override string AcceptedForm => "one or several of " + GroupProperties.Choices;

    /// <inheritdoc/>
    protected override GroupProperty Parse(string text) =>
        GroupProperties.TryFind(text, out GroupProperty? property)
            ? property
            : throw new FormatException($"Entries can't be grouped by '{text}'. Write {AcceptedForm}.");
}

/// <summary>Reads what groups are sorted by; Packets and Bytes are short for both ways.</summary>
public sealed class GroupOrderArgumentAttribute : ElementTransformationAttribute<GroupOrder>
{
    /// <inheritdoc/>
    protected override string AcceptedForm => "one of " + KernelSpelling.Choices<GroupOrder>();

    /// <inheritdoc/>
    protected override GroupOrder Parse(string text) => text.ToUpperInvariant() switch
    {
        "PACKETS" => GroupOrder.TotalPackets,
        "BYTES" => GroupOrder.TotalBytes,
        _ => KernelSpelling.TryParse(text, out GroupOrder order)
            ? order
            : throw new FormatException($"Groups can't be sorted by '{text}'. Write {AcceptedForm}."),
    };
}
