using System.Management.Automation;
using ConntrackPS.Completion;
using ConntrackPS.Linux;

namespace ConntrackPS.Commands;

/// <summary>What cmdlets share that work in one network namespace.</summary>
public abstract class ConntrackCommand : CoreCommand
{
    /// <summary>The network namespace to work in: a name of <c>ip netns</c>, a path, or the id of a process in it.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public string? NetworkNamespace { get; set; }

    /// <summary>The namespace the user named, or null for the caller's own.</summary>
    internal NetworkNamespace? Namespace() => NamespaceNamed(NetworkNamespace);

    /// <summary>The namespace of a name, or null for none: the caller's own.</summary>
    private protected static NetworkNamespace? NamespaceNamed(string? name) => name is null ? null : Linux.NetworkNamespace.Parse(name);
}
