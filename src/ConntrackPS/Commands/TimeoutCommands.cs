using System.Globalization;
using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Commands;

/// <summary>Shows how long the kernel keeps idle connections, per protocol and state.</summary>
[Cmdlet(VerbsCommon.Get, "ConntrackTimeout")]
[OutputType(typeof(ConntrackTimeout))]
public sealed class GetConntrackTimeoutCommand : TuningCommand
{
    /// <summary>The protocols, with wildcards (Icmp*). The default is all.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [SupportsWildcards]
    [TimeoutProtocolNameArgument]
    [ArgumentCompleter(typeof(TimeoutProtocolCompleter))]
    public string[]? Protocol { get; set; }

    /// <summary>The states, with wildcards (Syn*). The default is all. The kernel's spelling (SYN_SENT) is accepted too.</summary>
    [Parameter(Position = 1, ValueFromPipelineByPropertyName = true)]
    [SupportsWildcards]
    [AllowNull]
    [AllowEmptyString]
    [AllowEmptyCollection]
    [ArgumentCompleter(typeof(TimeoutStateCompleter))]
    public string[]? State { get; set; }

    /// <summary>The root folder of the system whose sysctl files are compared. The default is the running system.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string PersistRoot { get; set; } = "/";

    /// <inheritdoc/>
    protected override void ProcessRecord() => RunInEach(named =>
    {
        NetworkNamespace? networkNamespace = named ?? Target();
        string[]? states = State?.Where(state => !string.IsNullOrEmpty(state)).ToArray() is { Length: > 0 } given ? given : null;
        TimeoutProtocol[] protocols = Protocol is null ? Enum.GetValues<TimeoutProtocol>() : [.. Protocol.SelectMany(TimeoutProtocolArgumentAttribute.Expand).Distinct()];
        (string State, HashSet<TimeoutDefinition> Definitions)[]? wanted = states is null ? null : [.. states.Select(state => (state, FindState(state, protocols).ToHashSet()))];
        PersistedSettings? persisted = ReadPersisted(PersistRoot, networkNamespace);
        IReadOnlyList<ConntrackTimeout> present =
            [.. new TimeoutDefaults(networkNamespace, persisted).Read(TellUnreadable).Where(timeout => protocols.Contains(timeout.Protocol))];

        // A missing name is an error. A wildcard that matches nothing is not.
        foreach (string name in (Protocol ?? []).Where(name => !WildcardPattern.ContainsWildcardCharacters(name)))
        {
            TimeoutProtocol protocol = TimeoutProtocolArgumentAttribute.Expand(name).Single();
            if (present.All(timeout => timeout.Protocol != protocol))
                TellMissing($"This kernel has no timeouts for {protocol}.", protocol);
        }

        foreach ((string state, HashSet<TimeoutDefinition> definitions) in wanted ?? [])
        {
            bool isTold = Protocol is not null && !definitions.Any(definition => present.Any(timeout => timeout.Protocol == definition.Protocol));
            if (!isTold && !WildcardPattern.ContainsWildcardCharacters(state) && !present.Any(timeout => definitions.Contains(timeout.Definition)))
                TellMissing($"This kernel has no timeout for the state {state}.", state);
        }

        foreach (ConntrackTimeout timeout in present)
        {
            if (wanted is null || wanted.Any(one => one.Definitions.Contains(timeout.Definition)))
                WriteObject(timeout);
        }
    });

    private void TellMissing(string problem, object target) => RunOne(() => throw new UnsupportedTimeoutException(problem), target);

    /// <summary>Refuses a state only if none of the protocols has it.</summary>
    private static IEnumerable<TimeoutDefinition> FindState(string state, TimeoutProtocol[] protocols)
    {
        if (NamePattern.TryParse(state, WildcardOptions.IgnoreCase, out WildcardPattern pattern))
            return TimeoutCatalog.All.Where(definition => definition.State is { } known && (pattern.IsMatch(known.ToString()) || pattern.IsMatch(KernelSpelling.Of(known))));
        TimeoutDefinition[] found = [.. protocols.Select(protocol => TimeoutCatalog.TryFind(protocol, state)).OfType<TimeoutDefinition>()];
        return found.Length > 0 || protocols.Length == 0 ? found : throw TimeoutCatalog.Unknown(protocols, state);
    }
}

/// <summary>Sets how long the kernel keeps idle connections of a protocol and state, now and after the next boot.</summary>
[Cmdlet(VerbsCommon.Set, "ConntrackTimeout", SupportsShouldProcess = true, DefaultParameterSetName = ValueSet)]
[OutputType(typeof(ConntrackTimeout))]
public sealed class SetConntrackTimeoutCommand : PersistingCommand
{
    private const string ValueSet = "Value";
    private const string ResetSet = "Reset";

    private bool _isTyped;

    /// <summary>The protocol.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [TimeoutProtocolArgument(TakesOne = true)]
    public TimeoutProtocol Protocol { get; set; }

    /// <summary>The state, for protocols with several states, also in the kernel's spelling (SYN_SENT).</summary>
    [Parameter(Position = 1, ValueFromPipelineByPropertyName = true)]
    [AllowNull]
    [AllowEmptyString]
    [ArgumentCompleter(typeof(TimeoutStateCompleter))]
    public string? State { get; set; }

    /// <summary>The time without a packet until an entry expires: seconds, or a span such as 5m, 2h4m, 1d.</summary>
    [Parameter(Mandatory = true, Position = 2, ParameterSetName = ValueSet, ValueFromPipelineByPropertyName = true)]
    [Alias("TimeoutSeconds")]
    [DurationArgument(TakesOne = true, Maximum = Duration.Longest)]
    public TimeSpan Timeout { get; set; }

    /// <summary>Sets the kernel's default. With -Persist, also removes the line of ConntrackPS in sysctl.d.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ResetSet)]
    public SwitchParameter Reset { get; set; }

    private protected override void Begin()
    {
        base.Begin();
        _isTyped = MyInvocation.BoundParameters.ContainsKey(nameof(Timeout));
    }

    /// <inheritdoc/>
    protected override void ProcessRecord() => RunOne(Change, $"{Protocol} {State}".TrimEnd());

    private void Change()
    {
        TimeoutDefinition definition = TimeoutCatalog.Find(Protocol, State);
        NetworkNamespace? target = Target();
        RefusePersistenceIn(target);
        if (Persists && definition.Sysctl is null)
            throw new UnsupportedTimeoutException($"{definition} has no sysctl, so it cannot be persisted.");
        uint? wanted = Reset ? null : TimeoutRange.Check(Timeout, _isTyped);
        if (wanted is { } seconds && TimeoutAdvice.Check(definition, seconds) is { } warning)
            WriteWarning(warning);
        TimeoutDefaults defaults = new(target);
        uint? present = PersistOnly ? wanted : wanted ?? defaults.Read(definition).DefaultSeconds;
        string change = (wanted, present) switch
        {
            ({ } value, _) => string.Create(CultureInfo.InvariantCulture, $"Set timeout {value} s"),
            (null, { } value) => string.Create(CultureInfo.InvariantCulture, $"Reset timeout to the default, {value} s"),
            _ => "Reset timeout to the default",
        };
        if (!ShouldProcess(definition + Within(target), Describe(change)))
            return;
        if (!PersistOnly)
            defaults.Set(definition, present!.Value);
        if (Persists)
            WriteFiles((definition.Sysctl!, wanted));
        if (PassThru)
            WriteObject(new TimeoutDefaults(target, ReadAgain(target)).Read(definition));
    }
}
