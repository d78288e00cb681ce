using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Commands;

/// <summary>What cmdlets share that work in network namespaces: those that read in several, those that change in one.</summary>
public abstract class ConntrackCommand : CoreCommand
{
    /// <summary>Warnings about files, which are the same for all namespaces and objects.</summary>
    private readonly HashSet<string> _told = [];

    /// <summary>The network namespace to work in: a name of <c>ip netns</c>, a path, or the id of a process in it. Cmdlets
    /// that only read take several, and names with wildcards: <c>*</c> is all that have a name.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public string[]? NetworkNamespace { get; set; }

    /// <summary>The name of the one namespace to work in; null for the caller's own. Several end the cmdlet.</summary>
    private protected string? NamespaceName
    {
        get
        {
            if (!NamesSeveral)
                return NetworkNamespace?[0];
            ThrowTerminatingError(ErrorFactory.SeveralNamespaces(MyInvocation.MyCommand.Name, NetworkNamespace!));
            return null;
        }
    }

    private bool NamesSeveral => NetworkNamespace is { Length: > 1 } || NetworkNamespace?.Any(WildcardPattern.ContainsWildcardCharacters) == true;

    /// <summary>The one namespace the user named, or null for the caller's own.</summary>
    internal NetworkNamespace? Namespace() => NamespaceNamed(NamespaceName);

    /// <summary>The namespace of a name, or null for none: the caller's own.</summary>
    private protected static NetworkNamespace? NamespaceNamed(string? name) => Linux.NetworkNamespace.ParseOrOwn(name);

    /// <summary>The namespaces the user named, or null alone for the caller's own; of several, one that isn't there is an
    /// error, and the others follow.</summary>
    private protected IEnumerable<NetworkNamespace?> Namespaces()
    {
        if (!NamesSeveral)
            return [Namespace()];
        return NetworkNamespace!.SelectMany(Expand).Select(ParseOne).Where(found => found is not null);
    }

    /// <summary>Does work in each of the namespaces; of several, what fails in one is an error of its own.</summary>
    private protected void RunInEach(Action<NetworkNamespace?> work)
    {
        if (NamesSeveral)
            Run(() => RunInAll(work));
        else
            Run(() => work(Namespace()));
    }

    /// <summary>Whether the user named the namespace that an object is from; naming none is naming all.</summary>
    private protected bool IsNamed(string? networkNamespace) =>
        NetworkNamespace?.Any(name => networkNamespace is not null && new WildcardPattern(name, WildcardOptions.None).IsMatch(networkNamespace)) != false;

    /// <summary>What the files below a root set at the next boot, with a warning for each that can't be read; null where those of
    /// the running system say nothing about a namespace.</summary>
    private protected PersistedSettings? ReadPersisted(string root, NetworkNamespace? networkNamespace)
    {
        SystemRoot system = new(GetUnresolvedProviderPathFromPSPath(root));
        if (system.IsRunning && !system.HoldsFor(networkNamespace))
            return null;
        PersistedSettings persisted = PersistedSettings.Read(system);
        WarnOnce(persisted.Problems);
        return persisted;
    }

    private protected void WarnOnce(IEnumerable<string> problems)
    {
        foreach (string problem in problems.Where(_told.Add))
            WriteWarning(problem);
    }

    private void RunInAll(Action<NetworkNamespace?> work)
    {
        foreach (NetworkNamespace? networkNamespace in Namespaces())
        {
            if (Stopping)
                return;
            RunOne(() => work(networkNamespace), networkNamespace);
        }
    }

    private static IEnumerable<string> Expand(string name)
    {
        if (!NamePattern.TryParse(name, WildcardOptions.None, out WildcardPattern pattern))
            return [name];
        return Linux.NetworkNamespace.Names().Where(pattern.IsMatch);
    }

    private NetworkNamespace? ParseOne(string name)
    {
        NetworkNamespace? found = null;
        RunOne(() => found = Linux.NetworkNamespace.Parse(name), name);
        return found;
    }
}
