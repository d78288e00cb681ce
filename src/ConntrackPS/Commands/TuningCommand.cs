using System.Management.Automation;
using ConntrackPS.Completion;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Commands;

/// <summary>What cmdlets share that change what other cmdlets emit: objects come back with the namespace they are from.</summary>
public abstract class TuningCommand : ConntrackCommand
{
    /// <summary>The network namespace to work in: a name of <c>ip netns</c>, a path, or the id of a process in it. Cmdlets
    /// that only read take several, and names with wildcards: <c>*</c> is all that have a name.</summary>
    /// <remarks>Without the alias that it has elsewhere: -Namespace is a parameter here, which objects bind by its name.</remarks>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public override string[]? NetworkNamespace { get; set; }

    /// <summary>The network namespace that an object of the pipeline was read in; -NetworkNamespace goes first. One that is typed
    /// is short for that.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, DontShow = true)]
    [AllowNull]
    [AllowEmptyString]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public string[]? Namespace { get; set; }

    private protected override void Begin()
    {
        // What objects have is bound later.
        if (NetworkNamespace is null && Namespace is { Length: > 0 } typed && !typed.Any(string.IsNullOrEmpty))
            NetworkNamespace = typed;
    }

    /// <summary>Where to work: null for the caller's own namespace.</summary>
    private protected NetworkNamespace? Target()
    {
        string? origin = Namespace is [{ Length: > 0 } name] ? name : null;
        if (MyInvocation.ExpectingInput)
            NoteOrigin(origin, () => origin is not null);
        return OneNamespace() ?? NamespaceNamed(origin);
    }
}

/// <summary>What cmdlets share that change values now, after the next boot, or both.</summary>
public abstract class PersistingCommand : TuningCommand
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

    /// <summary>Also writes the value to /etc/sysctl.d/99-conntrackps.conf, so that it is set at every boot.</summary>
    [Parameter]
    public SwitchParameter Persist { get; set; }

    /// <summary>Sets the value only for the next boots, and does not change the current one.</summary>
    [Parameter]
    public SwitchParameter PersistOnly { get; set; }

    /// <summary>The root folder of the system whose files are written, such as a mounted image. The default is the
    /// running system.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string PersistRoot { get; set; } = "/";

    /// <summary>Emits the value after the change.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected SystemRoot Root => new(GetUnresolvedProviderPathFromPSPath(PersistRoot));

    private protected bool Persists => Persist || PersistOnly;

    /// <summary>What a change is, for -WhatIf and -Confirm.</summary>
    private protected string Describe(string change) => PersistOnly ? change + " after the next boot" : Persist ? change + " now and after the next boot" : change;

    /// <summary>Files are read at boot, for the network namespace that boot sets up.</summary>
    private protected void RefusePersistenceIn(NetworkNamespace? target)
    {
        if (Persists && !Root.HoldsFor(target))
            ThrowTerminatingError(ErrorFactory.NotPersistable(target));
    }

    /// <summary>What the files say about the namespace now, to be emitted with the value.</summary>
    private protected PersistedSettings? ReadAgain(NetworkNamespace? target) => Root.HoldsFor(target) ? PersistedSettings.Read(Root) : null;

    /// <summary>Writes the files, says which, and warns where a later file sets a value again.</summary>
    private protected void WriteFiles(params (string Name, Int128? Value)[] changes) => WriteFiles(Root, isSet: !PersistOnly, changes);
}
