using System.Management.Automation;
using ConntrackPS.Completion;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Commands;

/// <summary>The base class of cmdlets that change settings, timeouts and policies. Objects from the pipeline are processed in the
/// namespace that they came from.</summary>
public abstract class TuningCommand : ConntrackCommand
{
    /// <summary>The network namespace to work in: a name of <c>ip netns</c>, a path, or the id of a process in it.</summary>
    /// <remarks>It lacks the alias -Namespace of other cmdlets: here -Namespace is a parameter, to which the property of objects is bound.</remarks>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public override string[]? NetworkNamespace { get; set; }

    /// <summary>The network namespace of an object of the pipeline; -NetworkNamespace overrides it. Typed by a user, it is short for
    /// -NetworkNamespace.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, DontShow = true)]
    [AllowNull]
    [AllowEmptyString]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public string[]? Namespace { get; set; }

    private protected override void Begin()
    {
        // The properties of objects are bound later, so this value was typed.
        if (NetworkNamespace is null && Namespace is { Length: > 0 } typed && !typed.Any(string.IsNullOrEmpty))
            NetworkNamespace = typed;
    }

    /// <summary>The namespace to work in; null for the caller's own.</summary>
    private protected NetworkNamespace? Target()
    {
        string? origin = Namespace is [{ Length: > 0 } name] ? name : null;
        if (MyInvocation.ExpectingInput)
            NoteOrigin(origin, () => origin is not null);
        return OneNamespace() ?? NamespaceNamed(origin);
    }
}

/// <summary>The base class of cmdlets that change values now, at the next boot, or both.</summary>
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

    /// <summary>Describes a change, for -WhatIf and -Confirm.</summary>
    private protected string Describe(string change) => PersistOnly ? change + " after the next boot" : Persist ? change + " now and after the next boot" : change;

    /// <summary>Refuses -Persist for a namespace that boot does not set up, because boot reads the files only for that one.</summary>
    private protected void RefusePersistenceIn(NetworkNamespace? target)
    {
        if (Persists && !Root.HoldsFor(target))
            ThrowTerminatingError(ErrorFactory.NotPersistable(target));
    }

    /// <summary>The values that the files now set for the namespace; they are emitted together with the current values.</summary>
    private protected PersistedSettings? ReadAgain(NetworkNamespace? target) => Root.HoldsFor(target) ? PersistedSettings.Read(Root) : null;

    /// <summary>Writes the files, names them, and warns if a later file sets a value again.</summary>
    private protected void WriteFiles(params (string Name, Int128? Value)[] changes) => WriteFiles(Root, isSet: !PersistOnly, changes);
}
