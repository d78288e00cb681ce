using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Commands;

/// <summary>All filter parameters, for cmdlets that change nothing of the same name.</summary>
public abstract class FilterCommand : SelectionCommand
{
    /// <summary>States of TCP, SCTP and DCCP connections; the kernel's spelling (SYN_SENT) is accepted too.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [StateArgument]
    public ConntrackState[]? State { get; set; }

    /// <summary>Connection marks, whole (7, 0x100) or under a mask (0x100/0xff00).</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [MarkArgument]
    public MaskedMark[]? Mark { get; set; }

    /// <summary>Names of helpers, such as ftp.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [TextArgument]
    [ArgumentCompleter(typeof(HelperCompleter))]
    public string[]? Helper { get; set; }

    private protected override MaskedMark[]? MarkFilter => Mark;

    private protected override ConntrackState[]? StateFilter => State;

    private protected override string[]? HelperFilter => Helper;
}
