using ConntrackPS.Conntrack;
using LinuxSysctl = ConntrackPS.Linux.Sysctl;

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
    /// <summary>False on kernels that gave SCTP's state HEARTBEAT_ACKED up.</summary>
    public static bool HasHeartbeatAcked => File.Exists(LinuxSysctl.Netfilter + "nf_conntrack_sctp_timeout_heartbeat_acked");

    /// <summary>True for a state that the kernel gave up: it answers with a 0 for it, which is no timeout, and takes none.</summary>
    public bool IsRelic => State == TimeoutState.HeartbeatAcked && !HasHeartbeatAcked;

    /// <summary>For people: <c>tcp SYN_SENT</c>.</summary>
    public override string ToString() =>
        State is { } state ? $"{NameOf(Protocol)} {KernelSpelling.Of(state)}" : NameOf(Protocol);

    private static string NameOf(TimeoutProtocol protocol) => protocol.ToString().ToLowerInvariant();
}
