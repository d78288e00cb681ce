using ConntrackPS.Conntrack;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Arguments;

/// <summary>Reads the protocols that have timeouts of their own, by name or IANA number.</summary>
/// <remarks>PowerShell's own conversion of a positional argument says that there is no such parameter, and nothing about
/// the names there are.</remarks>
public sealed class TimeoutProtocolArgumentAttribute : ElementTransformationAttribute<TimeoutProtocol>
{
    /// <inheritdoc/>
    protected override string AcceptedForm => "one of " + string.Join(", ", Enum.GetNames<TimeoutProtocol>());

    /// <inheritdoc/>
    protected override TimeoutProtocol Parse(string text)
    {
        if (text.Equals(nameof(TimeoutProtocol.Generic), StringComparison.OrdinalIgnoreCase))
            return TimeoutProtocol.Generic;
        return ProtocolNames.TryParse(text, out IPProtocol protocol) && IsAccepted((TimeoutProtocol)protocol)
            ? (TimeoutProtocol)protocol
            : throw new FormatException($"'{text}' is not a protocol with timeouts of its own. Write {AcceptedForm}.");
    }

    /// <inheritdoc/>
    protected override bool IsAccepted(TimeoutProtocol value) => Enum.IsDefined(value);
}
