using System.Management.Automation;
using ConntrackPS.Completion;
using ConntrackPS.Errors;
using ConntrackPS.Tuning.Policies;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Commands;

/// <summary>Changes the timeouts of a policy in place: connections that have it already obey with their next packet.
/// States that are not named stay as they are.</summary>
[Cmdlet(VerbsCommon.Set, "ConntrackTimeoutPolicy", SupportsShouldProcess = true)]
[OutputType(typeof(ConntrackTimeoutPolicy))]
public sealed class SetConntrackTimeoutPolicyCommand : PolicyValuesCommand
{
    /// <summary>The policy's name.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(TimeoutPolicyCompleter))]
    public string Name { get; set; } = "";

    private protected override TimeoutProtocol? KnownProtocol => null;

    /// <inheritdoc/>
    protected override void ProcessRecord() => RunOn(Name, Change);

    private void Change(TimeoutPolicies policies)
    {
        IReadOnlyDictionary<TimeoutDefinition, uint> values = Values(policies.Find(Name).Protocol);
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
