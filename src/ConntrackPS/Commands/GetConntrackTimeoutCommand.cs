using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Tuning.Persistence;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Commands;

/// <summary>Shows how long the kernel keeps idle connections, by protocol and state.</summary>
[Cmdlet(VerbsCommon.Get, "ConntrackTimeout")]
[OutputType(typeof(ConntrackTimeout))]
public sealed class GetConntrackTimeoutCommand : ConntrackCommand
{
    /// <summary>The protocols; all unless given.</summary>
    [Parameter(Position = 0)]
    [TimeoutProtocolArgument]
    public TimeoutProtocol[]? Protocol { get; set; }

    /// <summary>The states; all unless given. The kernel's spelling (SYN_SENT) is accepted too.</summary>
    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(TimeoutStateCompleter))]
    public string[]? State { get; set; }

    /// <summary>The root of the system whose sysctl files are compared; the running one unless given.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string PersistRoot { get; set; } = "/";

    /// <inheritdoc/>
    protected override void EndProcessing() => RunInEach(networkNamespace =>
    {
        HashSet<TimeoutDefinition>? wanted = State is null ? null : [.. State.SelectMany(Find)];
        PersistedSettings? persisted = ReadPersisted(PersistRoot, networkNamespace);
        IReadOnlyList<ConntrackTimeout> present = new TimeoutDefaults(networkNamespace, persisted).Read(TellUnreadable);
        foreach (TimeoutProtocol protocol in Protocol ?? [])
        {
            if (present.All(timeout => timeout.Protocol != protocol))
                RunOne(() => throw new UnsupportedTimeoutException($"This kernel keeps no timeouts for {protocol}."), protocol);
        }

        foreach (ConntrackTimeout timeout in present)
        {
            if (Protocol?.Contains(timeout.Protocol) != false && wanted?.Contains(timeout.Definition) != false)
                WriteObject(timeout);
        }
    });

    /// <summary>A state is an error only where none of the protocols has it.</summary>
    private IEnumerable<TimeoutDefinition> Find(string state)
    {
        TimeoutProtocol[] protocols = Protocol ?? Enum.GetValues<TimeoutProtocol>();
        TimeoutDefinition[] found = [.. protocols.Select(protocol => TimeoutCatalog.TryFind(protocol, state)).OfType<TimeoutDefinition>()];
        return found.Length > 0 ? found : throw TimeoutCatalog.Unknown(protocols, state);
    }
}
