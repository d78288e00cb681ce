using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Conntrack;
using ConntrackPS.Tuning.Policies;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Commands;

/// <summary>Creates a timeout policy, for rules to attach to connections. States that are not named take the present
/// default timeouts.</summary>
[Cmdlet(VerbsCommon.New, "ConntrackTimeoutPolicy", SupportsShouldProcess = true)]
[OutputType(typeof(ConntrackTimeoutPolicy))]
public sealed class NewConntrackTimeoutPolicyCommand : PolicyCommand, IDynamicParameters
{
    private readonly PolicyTimeouts _timeouts = new();

    /// <summary>The policy's name, at most 31 bytes.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    public string Name { get; set; } = "";

    /// <summary>The protocol of the connections it is for.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    [TimeoutProtocolArgument(TakesOne = true)]
    public TimeoutProtocol Protocol { get; set; }

    /// <summary>The family of the connections it is for; a rule of the other family can't use it.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateSet(nameof(IPFamily.IPv4), nameof(IPFamily.IPv6))]
    public IPFamily AddressFamily { get; set; } = IPFamily.IPv4;

    /// <summary>Timeouts by state: <c>@{ SynSent = 30; Established = '1h' }</c>; under Timeout for protocols with one.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [TimeoutTableArgument]
    public Dictionary<string, TimeSpan>? Timeout { get; set; }

    /// <summary>Emits the policy as it is then.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>A parameter for each state of the protocol.</summary>
    public object GetDynamicParameters() => _timeouts.Offer(Protocol == 0 ? null : Protocol);

    /// <inheritdoc/>
    protected override void BeginProcessing() => _timeouts.IsTyped = MyInvocation.BoundParameters.ContainsKey(nameof(Timeout));

    /// <inheritdoc/>
    protected override void ProcessRecord() => RunOn(Name, Create);

    private void Create(TimeoutPolicies policies)
    {
        IReadOnlyDictionary<TimeoutDefinition, uint> values = _timeouts.Read(Protocol, Timeout);
        if (!ShouldProcess($"{Name} ({AddressFamily} {Protocol})", "Create timeout policy"))
            return;
        policies.Create(Name, AddressFamily, Protocol, values);
        if (PassThru)
            WriteObject(policies.Find(Name));
    }
}
