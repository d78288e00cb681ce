using System.Globalization;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Expectations;

/// <summary>What names one expectation exactly.</summary>
/// <param name="Tuple">Its tuple, exactly as listed.</param>
/// <param name="Zone">Its master's zone.</param>
/// <param name="Id">The kernel's id: the tuple alone names whichever expectation it meets, perhaps another one.</param>
public readonly record struct ExpectationKey(ConntrackTuple Tuple, ushort Zone, uint Id)
{
    /// <summary>The expected connection on one line, with its zone where that is not 0.</summary>
    public override string ToString() =>
        Zone == 0 ? Tuple.ToString() : string.Create(CultureInfo.InvariantCulture, $"{Tuple} zone {Zone}");
}
