using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Tuning.Policies;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Commands;

/// <summary>Creates a timeout policy, for rules to attach to connections. States that are not named take the present
/// default timeouts.</summary>
[Cmdlet(VerbsCommon.New, "ConntrackTimeoutPolicy", SupportsShouldProcess = true)]
[OutputType(typeof(ConntrackTimeoutPolicy))]
public sealed class NewConntrackTimeoutPolicyCommand : PolicyValuesCommand
{
    /// <summary>The policy's name, at most 31 bytes.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    public string Name { get; set; } = "";

    /// <summary>The protocol of the connections it is for.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    public TimeoutProtocol Protocol { get; set; }

    /// <summary>The family of the connections it is for; a rule of the other family can't use it.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateSet(nameof(IPFamily.IPv4), nameof(IPFamily.IPv6))]
    public IPFamily AddressFamily { get; set; } = IPFamily.IPv4;

    private protected override TimeoutProtocol? KnownProtocol => Protocol == 0 ? null : Protocol;

    /// <inheritdoc/>
    protected override void ProcessRecord() => RunOn(Name, Create);

    private void Create(TimeoutPolicies policies)
    {
        IReadOnlyDictionary<TimeoutDefinition, uint> values = Values(Protocol);
        if (!ShouldProcess($"{Name} ({AddressFamily} {Protocol})", "Create timeout policy"))
            return;
        policies.Create(Name, AddressFamily, Protocol, values);
        if (PassThru)
            WriteObject(policies.Find(Name));
    }
}
