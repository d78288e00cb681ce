using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Tuning.Policies;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Commands;

/// <summary>Shows the timeout policies that rules attach to connections (iptables -j CT --timeout NAME).</summary>
[Cmdlet(VerbsCommon.Get, "ConntrackTimeoutPolicy")]
[OutputType(typeof(ConntrackTimeoutPolicy))]
public sealed class GetConntrackTimeoutPolicyCommand : PolicyCommand
{
    /// <summary>The policies' names, with wildcards; all unless given.</summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(TimeoutPolicyCompleter))]
    public string[]? Name { get; set; }

    /// <summary>Only policies for these protocols.</summary>
    [Parameter]
    [TimeoutProtocolArgument]
    public TimeoutProtocol[]? Protocol { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => RunInEach(networkNamespace =>
    {
        TimeoutPolicies policies = new(networkNamespace ?? Target());
        foreach (string name in Name ?? ["*"])
        {
            if (NamePattern.TryParse(name, WildcardOptions.IgnoreCase, out WildcardPattern pattern))
                EmitAll(policies, pattern);
            else
                RunOn(() => policies, name, found => Emit(found.Find(name)));
        }
    });

    private void EmitAll(TimeoutPolicies policies, WildcardPattern pattern)
    {
        foreach (ConntrackTimeoutPolicy policy in policies.Read())
        {
            if (pattern.IsMatch(policy.Name))
                Emit(policy);
        }
    }

    private void Emit(ConntrackTimeoutPolicy policy)
    {
        if (Protocol?.Contains(policy.Protocol) != false)
            WriteObject(policy);
    }
}
