using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Errors;
using ConntrackPS.Tuning.Policies;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Commands;

/// <summary>Changes the timeouts of a policy in place: connections that have it already obey with their next packet.
/// States that are not named stay as they are.</summary>
[Cmdlet(VerbsCommon.Set, "ConntrackTimeoutPolicy", SupportsShouldProcess = true)]
[OutputType(typeof(ConntrackTimeoutPolicy))]
public sealed class SetConntrackTimeoutPolicyCommand : PolicyCommand, IDynamicParameters
{
    private readonly PolicyTimeouts _timeouts = new();

    /// <summary>The policy's name.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(TimeoutPolicyCompleter))]
    public string Name { get; set; } = "";

    /// <summary>Timeouts by state: <c>@{ SynSent = 30; Established = '1h' }</c>; under Timeout for protocols with one.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [TimeoutTableArgument]
    public Dictionary<string, TimeSpan>? Timeout { get; set; }

    /// <summary>Emits the policy as it is then.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>A parameter for each state.</summary>
    public object GetDynamicParameters() => _timeouts.Offer(null);

    /// <inheritdoc/>
    protected override void BeginProcessing() => _timeouts.IsTyped = MyInvocation.BoundParameters.ContainsKey(nameof(Timeout));

    /// <inheritdoc/>
    protected override void ProcessRecord() => RunOn(Name, Change);

    private void Change(TimeoutPolicies policies)
    {
        IReadOnlyDictionary<TimeoutDefinition, uint> values = _timeouts.Read(policies.Find(Name).Protocol, Timeout);
        if (values.Count == 0)
        {
            WriteError(ErrorFactory.NoTimeout());
            return;
        }

        if (!ShouldProcess(Name, $"Set timeouts: {string.Join(", ", values.Select(pair => $"{pair.Key} {pair.Value} s"))}"))
            return;
        policies.Change(Name, values);
        if (PassThru)
            WriteObject(policies.Find(Name));
    }
}
