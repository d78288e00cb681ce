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
            }
            catch (ArgumentException exception)
            {
                WriteError(ErrorFactory.InvalidPolicyName(exception, name));
                return;
            }

            try
            {
                work(policies);
            }
            catch (NetlinkException exception)
            {
                WriteError(ErrorFactory.PolicyRefused(exception, name, exception.Errno == Errno.Busy ? policies.Find(name).UseCount : 0, policies.NetworkNamespace));
            }
        },
        name);
}

/// <summary>What the cmdlets share that give a policy its timeouts: by a table, or by a parameter for each state.</summary>
public abstract class PolicyValuesCommand : PolicyCommand, IDynamicParameters
{
    private const string Single = "TimeoutSeconds";

    private RuntimeDefinedParameterDictionary? _states;
    private bool _isTyped;

    /// <summary>Timeouts by state: <c>@{ SynSent = 30; Established = '1h' }</c>; under Timeout for protocols with one.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [TimeoutTableArgument]
    public Dictionary<string, TimeSpan>? Timeout { get; set; }

    /// <summary>Emits the policy as it is then.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>The protocol, as far as it is known while parameters are bound.</summary>
    private protected abstract TimeoutProtocol? KnownProtocol { get; }

    /// <inheritdoc/>
    protected override void BeginProcessing() => _isTyped = MyInvocation.BoundParameters.ContainsKey(nameof(Timeout));

    /// <summary>A parameter for each state of the protocol, of all protocols while none is known.</summary>
    public object GetDynamicParameters()
    {
        _states = [];
        foreach (string name in TimeoutCatalog.All.Where(IsOffered).Select(ParameterOf).Distinct())
        {
            Collection<Attribute> attributes = [new ParameterAttribute(), new DurationArgumentAttribute { TakesOne = true, Maximum = Duration.Longest }];
            _states.Add(name, new RuntimeDefinedParameter(name, typeof(TimeSpan), attributes));
        }

        return _states;
    }

    /// <summary>What was given, for a protocol; a state's own parameter goes before the table.</summary>
    /// <exception cref="UnknownTimeoutException">The protocol has no such state.</exception>
    private protected IReadOnlyDictionary<TimeoutDefinition, uint> Values(TimeoutProtocol protocol)
    {
        Dictionary<TimeoutDefinition, uint> values = [];
        foreach ((string state, TimeSpan span) in Timeout ?? [])
            Add(state, span, isTold: !_isTyped);
        foreach (RuntimeDefinedParameter parameter in _states?.Values.Where(parameter => parameter.IsSet) ?? [])
            Add(parameter.Name == Single ? TimeoutValues.SingleKey : parameter.Name, (TimeSpan)parameter.Value, isTold: false);
        return values;

        void Add(string state, TimeSpan span, bool isTold)
        {
            TimeoutDefinition definition = TimeoutValues.Find(protocol, state);

            // An object of the pipeline has what a kernel told, and a 0 for a state that the kernel no longer has is none.
            if (isTold && definition.IsObsolete)
                return;
            values[definition] = isTold ? TimeoutRange.CheckTold(span) : TimeoutRange.Check(span);
        }
    }

    private bool IsOffered(TimeoutDefinition definition) => KnownProtocol is not { } protocol || definition.Protocol == protocol;

    private static string ParameterOf(TimeoutDefinition definition) => definition.State?.ToString() ?? Single;
}
