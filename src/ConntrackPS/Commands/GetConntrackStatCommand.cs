using System.Management.Automation;
using ConntrackPS.Diagnosis;

namespace ConntrackPS.Commands;

/// <summary>Shows how full the connection-tracking table is.</summary>
[Cmdlet(VerbsCommon.Get, "ConntrackStat")]
[OutputType(typeof(ConntrackStat))]
public sealed class GetConntrackStatCommand : ConntrackCommand
{
    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() => WriteObject(ConntrackStat.Read(Namespace())));
}
