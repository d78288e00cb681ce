using System.Collections.ObjectModel;
using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Conntrack;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tuning.Policies;
using ConntrackPS.Tuning.Timeouts;

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

/// <summary>The timeouts that New- and Set-ConntrackTimeoutPolicy are given: by the table of -Timeout, or by a parameter for each
/// state.</summary>
internal sealed class PolicyTimeouts
{
    private const string Single = "TimeoutSeconds";

    private RuntimeDefinedParameterDictionary _states = [];

    /// <summary>Whether -Timeout was typed: objects of the pipeline bring what a kernel told.</summary>
    public bool IsTyped { get; set; }

    /// <summary>A parameter for each state of the protocol, of all protocols where it is not known while parameters are bound.</summary>
    public RuntimeDefinedParameterDictionary Offer(TimeoutProtocol? protocol)
    {
        _states = [];
        IEnumerable<TimeoutDefinition> offered = TimeoutCatalog.All.Where(definition => protocol is null || definition.Protocol == protocol);
        foreach (string name in offered.Select(definition => definition.State?.ToString() ?? Single).Distinct())
        {
            Collection<Attribute> attributes = [new ParameterAttribute(), new DurationArgumentAttribute { TakesOne = true, Maximum = Duration.Longest }];
            _states.Add(name, new RuntimeDefinedParameter(name, typeof(TimeSpan), attributes));
        }

        return _states;
    }

    /// <summary>What was given, for a protocol; a state's own parameter goes before the table.</summary>
    /// <exception cref="UnknownTimeoutException">The protocol has no such state.</exception>
    public IReadOnlyDictionary<TimeoutDefinition, uint> Read(TimeoutProtocol protocol, Dictionary<string, TimeSpan>? table)
    {
        Dictionary<TimeoutDefinition, uint> values = [];
        foreach ((string state, TimeSpan span) in table ?? [])
            Add(state, span, IsTyped);
        foreach (RuntimeDefinedParameter parameter in _states.Values.Where(parameter => parameter.IsSet))
            Add(parameter.Name == Single ? TimeoutValues.SingleKey : parameter.Name, (TimeSpan)parameter.Value, isTyped: true);
        return values;

        void Add(string state, TimeSpan span, bool isTyped)
        {
            bool isSingle = state.Equals(TimeoutValues.SingleKey, StringComparison.OrdinalIgnoreCase);
            TimeoutDefinition definition = TimeoutCatalog.Find(protocol, isSingle ? null : state);

            // An object of the pipeline has what a kernel told, and a 0 for a state that the kernel no longer has is none.
            if (isTyped || !definition.IsObsolete)
                values[definition] = TimeoutRange.Check(span, isTyped);
        }
    }
}
