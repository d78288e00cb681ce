using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tuning.Policies;

namespace ConntrackPS.Commands;

/// <summary>What the cmdlets of timeout policies share: where policies are, and errors about one by its name.</summary>
public abstract class PolicyCommand : TuningCommand
{
    /// <summary>The policies of the namespace that is named, or that an object is from.</summary>
    private protected TimeoutPolicies Policies() => new(Target());

    /// <summary>Runs work on the policy of a name; refusals are errors about that one.</summary>
    private protected void RunOn(string name, Action<TimeoutPolicies> work) => RunOn(Policies, name, work);

    /// <summary>Runs work on one of certain policies.</summary>
    private protected void RunOn(Func<TimeoutPolicies> open, string name, Action<TimeoutPolicies> work) => RunOne(
        () =>
        {
            TimeoutPolicies policies = open();
            try
            {
                PolicyName.Check(name);
                work(policies);
            }
            catch (NetlinkException exception)
            {
                WriteError(ErrorFactory.PolicyRefused(exception, name, exception.Errno == Errno.Busy ? policies.Find(name).UseCount : 0, policies.NetworkNamespace));
            }
            catch (ArgumentException exception)
            {
                WriteError(ErrorFactory.InvalidPolicyName(exception, name));
            }
        },
        name);
}
