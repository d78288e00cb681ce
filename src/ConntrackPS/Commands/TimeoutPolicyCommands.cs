using System.Collections.ObjectModel;
using System.Globalization;
using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tuning.Policies;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Commands;

/// <summary>The base class of the cmdlets for timeout policies: their namespace, and errors that name the policy.</summary>
public abstract class PolicyCommand : TuningCommand
{
    /// <summary>The policies of the named namespace, or of the namespace that an object came from.</summary>
    private protected TimeoutPolicies Policies() => new(Target());

    /// <summary>Runs work on the policy with a name. If the kernel refuses, the error is about that policy.</summary>
    private protected void RunOn(string name, Action<TimeoutPolicies> work) => RunOn(Policies, name, work);

    /// <summary>Runs work on one policy of a namespace.</summary>
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

/// <summary>The timeouts for New- and Set-ConntrackTimeoutPolicy, from the hashtable of -Timeout or from a parameter for each
/// state.</summary>
internal sealed class PolicyTimeouts
{
    private const string Single = "TimeoutSeconds";

    private RuntimeDefinedParameterDictionary _states = [];

    /// <summary>True if the user typed -Timeout. Otherwise its value is the property of an object, which comes from a kernel.</summary>
    public bool IsTyped { get; set; }

    /// <summary>A parameter for each state of the protocol. If the protocol is not known during binding, for each state of all
    /// protocols.</summary>
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

    /// <summary>Timeouts for -WhatIf and -Confirm: <c>udp UNREPLIED 5 s</c>.</summary>
    public static string Describe(IReadOnlyDictionary<TimeoutDefinition, uint> values, string none = "") => values.Count == 0
        ? none
        : string.Join(", ", values.Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Key} {pair.Value} s")));

    /// <summary>The given timeouts for a protocol. The parameter of a state overrides the hashtable.</summary>
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
            TimeoutDefinition definition = TimeoutValues.Find(protocol, state);

            // An object of the pipeline comes from a kernel. There, 0 means that the kernel no longer has the state.
            if (isTyped || !definition.IsObsolete)
                values[definition] = TimeoutRange.Check(span, isTyped);
        }
    }
}

/// <summary>Shows the timeout policies that rules attach to connections (iptables -j CT --timeout NAME).</summary>
[Cmdlet(VerbsCommon.Get, "ConntrackTimeoutPolicy")]
[OutputType(typeof(ConntrackTimeoutPolicy))]
public sealed class GetConntrackTimeoutPolicyCommand : PolicyCommand
{
    /// <summary>The names of the policies, with wildcards. The default is all.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(TimeoutPolicyCompleter))]
    public string[]? Name { get; set; }

    /// <summary>Lists only policies for these protocols, with wildcards.</summary>
    [Parameter]
    [SupportsWildcards]
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

/// <summary>Creates a timeout policy, which rules can attach to connections. States that you do not give get the current
/// default timeouts.</summary>
[Cmdlet(VerbsCommon.New, "ConntrackTimeoutPolicy", SupportsShouldProcess = true)]
[OutputType(typeof(ConntrackTimeoutPolicy))]
public sealed class NewConntrackTimeoutPolicyCommand : PolicyCommand, IDynamicParameters
{
    private readonly PolicyTimeouts _timeouts = new();

    /// <summary>The network namespace to work in: a name of <c>ip netns</c>, a path, or the id of a process in it.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public new string? NetworkNamespace
    {
        get => OneNamespaceName;
        set => OneNamespaceName = value;
    }

    /// <summary>The name of the policy, at most 31 bytes.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    public string Name { get; set; } = "";

    /// <summary>The protocol of the connections that can use the policy.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    [TimeoutProtocolArgument(TakesOne = true)]
    public TimeoutProtocol Protocol { get; set; }

    /// <summary>The address family of the connections that can use the policy. A rule of the other family cannot use it.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateSet(nameof(IPFamily.IPv4), nameof(IPFamily.IPv6))]
    public IPFamily AddressFamily { get; set; } = IPFamily.IPv4;

    /// <summary>Timeouts by state: <c>@{ SynSent = 30; Established = '1h' }</c>; for a protocol with one timeout a span such as 5m.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [TimeoutTableArgument]
    public Dictionary<string, TimeSpan>? Timeout { get; set; }

    /// <summary>Emits the policy with its new timeouts.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>A parameter for each state of the protocol.</summary>
    public object GetDynamicParameters() => _timeouts.Offer(Protocol == 0 ? null : Protocol);

    private protected override void Begin()
    {
        base.Begin();
        _timeouts.IsTyped = MyInvocation.BoundParameters.ContainsKey(nameof(Timeout));
    }

    /// <inheritdoc/>
    protected override void ProcessRecord() => RunOn(Name, Create);

    private void Create(TimeoutPolicies policies)
    {
        IReadOnlyDictionary<TimeoutDefinition, uint> values = _timeouts.Read(Protocol, Timeout);
        if (!ShouldProcess($"{Name} ({AddressFamily} {Protocol}){Within(policies.NetworkNamespace)}", $"Create timeout policy with {PolicyTimeouts.Describe(values, "the current default timeouts")}"))
            return;
        policies.Create(Name, AddressFamily, Protocol, values);
        if (PassThru)
            WriteObject(policies.Find(Name));
    }
}

/// <summary>Changes the timeouts of a policy in place. Connections that have the policy get the new timeouts with their next
/// packet. States that you do not give keep their timeouts.</summary>
[Cmdlet(VerbsCommon.Set, "ConntrackTimeoutPolicy", SupportsShouldProcess = true)]
[OutputType(typeof(ConntrackTimeoutPolicy))]
public sealed class SetConntrackTimeoutPolicyCommand : PolicyCommand, IDynamicParameters
{
    private readonly PolicyTimeouts _timeouts = new();

    /// <summary>The network namespace to work in: a name of <c>ip netns</c>, a path, or the id of a process in it.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public new string? NetworkNamespace
    {
        get => OneNamespaceName;
        set => OneNamespaceName = value;
    }

    /// <summary>The name of the policy.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(TimeoutPolicyCompleter))]
    public string Name { get; set; } = "";

    /// <summary>Timeouts by state: <c>@{ SynSent = 30; Established = '1h' }</c>; for a protocol with one timeout a span such as 5m.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [TimeoutTableArgument]
    public Dictionary<string, TimeSpan>? Timeout { get; set; }

    /// <summary>Emits the policy with its new timeouts.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>A parameter for each state.</summary>
    public object GetDynamicParameters() => _timeouts.Offer(null);

    private protected override void Begin()
    {
        base.Begin();
        _timeouts.IsTyped = MyInvocation.BoundParameters.ContainsKey(nameof(Timeout));
    }

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

        if (!ShouldProcess(Name + Within(policies.NetworkNamespace), $"Set timeout {PolicyTimeouts.Describe(values)}"))
            return;
        policies.Change(Name, values);
        if (PassThru)
            WriteObject(policies.Find(Name));
    }
}

/// <summary>Removes timeout policies that no rule uses.</summary>
[Cmdlet(VerbsCommon.Remove, "ConntrackTimeoutPolicy", SupportsShouldProcess = true)]
[OutputType(typeof(ConntrackTimeoutPolicy))]
public sealed class RemoveConntrackTimeoutPolicyCommand : PolicyCommand
{
    /// <summary>The network namespace to work in: a name of <c>ip netns</c>, a path, or the id of a process in it.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public new string? NetworkNamespace
    {
        get => OneNamespaceName;
        set => OneNamespaceName = value;
    }

    /// <summary>The names of the policies, with wildcards. <c>*</c> means all.</summary>
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
        if (!ShouldProcess(name + Within(policies.NetworkNamespace), "Remove timeout policy"))
            return;
        ConntrackTimeoutPolicy? last = PassThru ? policies.Find(name) : null;
        policies.Remove(name);
        if (last is not null)
            WriteObject(last);
    }
}
