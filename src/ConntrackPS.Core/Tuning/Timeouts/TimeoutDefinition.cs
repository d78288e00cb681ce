using ConntrackPS.Conntrack;

namespace ConntrackPS.Tuning.Timeouts;

/// <summary>One of the kernel's timeouts: where it is kept, and what it is unless changed.</summary>
/// <param name="Protocol">The protocol.</param>
/// <param name="State">The state; null for protocols with one timeout.</param>
/// <param name="Attribute">CTA_TIMEOUT_{PROTOCOL}_{STATE} inside CTA_TIMEOUT_DATA.</param>
/// <param name="Sysctl">The file below /proc/sys/net/netfilter; null where there is none.</param>
/// <param name="DefaultSeconds">The kernel's default, in seconds.</param>
internal sealed record TimeoutDefinition(
    TimeoutProtocol Protocol, TimeoutState? State, byte Attribute, string? Sysctl, uint DefaultSeconds)
{
    /// <summary>For people: <c>tcp SYN_SENT</c>.</summary>
    public override string ToString() =>
        State is { } state ? $"{NameOf(Protocol)} {KernelSpelling.Of(state)}" : NameOf(Protocol);

    private static string NameOf(TimeoutProtocol protocol) => protocol.ToString().ToLowerInvariant();
}
