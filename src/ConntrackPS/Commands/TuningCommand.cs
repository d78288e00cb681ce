using System.Management.Automation;
using ConntrackPS.Linux;

namespace ConntrackPS.Commands;

/// <summary>What cmdlets share that change what other cmdlets emit: objects come back with the namespace they are from.</summary>
public abstract class TuningCommand : ConntrackCommand
{
    /// <summary>The network namespace that an object of the pipeline was read in; -NetworkNamespace goes first.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, DontShow = true)]
    [AllowNull]
    [AllowEmptyString]
    public string? Namespace { get; set; }

    /// <summary>Where to work: null for the caller's own namespace.</summary>
    private protected NetworkNamespace? Target() =>
        OneNamespace() ?? NamespaceNamed(string.IsNullOrEmpty(Namespace) ? null : Namespace);
}
