using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Tuning.Policies;

namespace ConntrackPS.Commands;

/// <summary>Removes timeout policies that no rule uses.</summary>
[Cmdlet(VerbsCommon.Remove, "ConntrackTimeoutPolicy", SupportsShouldProcess = true)]
[OutputType(typeof(ConntrackTimeoutPolicy))]
public sealed class RemoveConntrackTimeoutPolicyCommand : PolicyCommand
{
    /// <summary>The policies' names, with wildcards; <c>*</c> for all.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(TimeoutPolicyCompleter))]
    public string[] Name { get; set; } = [];

    /// <summary>Emits each policy that was removed.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(() =>
    {
        foreach (string name in Name.SelectMany(Expand))
            RunOn(name, policies => Remove(policies, name));
    });

    private IEnumerable<string> Expand(string name)
    {
        if (!NamePattern.TryParse(name, WildcardOptions.IgnoreCase, out WildcardPattern pattern))
            return [name];
        return Policies().Read().Select(policy => policy.Name).Where(pattern.IsMatch).ToArray();
    }

    private void Remove(TimeoutPolicies policies, string name)
    {
        if (!ShouldProcess(name, "Remove timeout policy"))
            return;
        ConntrackTimeoutPolicy? last = PassThru ? policies.Find(name) : null;
        policies.Remove(name);
        if (last is not null)
            WriteObject(last);
    }
}
