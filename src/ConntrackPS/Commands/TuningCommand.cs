using System.Management.Automation;
using ConntrackPS.Linux;

namespace ConntrackPS.Commands;

/// <summary>What cmdlets share that change what other cmdlets emit: objects come back with the namespace they are from.</summary>
public abstract class TuningCommand : ConntrackCommand
{
    /// <summary>The network namespace that an object of the pipeline was read in; -NetworkNamespace goes first.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, DontShow = true)]
    [Alias("Namespace")]
    [AllowNull]
    [AllowEmptyString]
    public string? ObjectNamespace { get; set; }

    /// <summary>Where to work: null for the caller's own namespace.</summary>
    private protected NetworkNamespace? Target() =>
        Namespace() ?? (string.IsNullOrEmpty(ObjectNamespace) ? null : Linux.NetworkNamespace.Parse(ObjectNamespace));
}
