using ConntrackPS.Conntrack;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>How many entries a source address has.</summary>
/// <param name="Family">The address's family.</param>
/// <param name="Address">The address.</param>
/// <param name="Count">Its entries.</param>
internal readonly record struct SourceCount(IPFamily Family, AddressBits Address, int Count)
{
    /// <summary>The address as text.</summary>
    public string Text => Address.ToString(Family);
}
