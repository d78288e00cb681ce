using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Commands;

/// <summary>Empties the connection-tracking table, or deletes all entries of one address family.</summary>
[Cmdlet(VerbsCommon.Clear, "ConntrackTable", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
public sealed class ClearConntrackTableCommand : ConntrackCommand
{
    /// <summary>IPv4 or IPv6; without it both go.</summary>
    [Parameter]
    [FamilyArgument]
    [ValidateSet(nameof(IPFamily.IPv4), nameof(IPFamily.IPv6))]
    public IPFamily AddressFamily { get; set; }

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() =>
    {
        ConntrackTable table = new(Namespace());
        string which = AddressFamily == IPFamily.Unspecified ? "all entries" : $"all {AddressFamily} entries";
        if (ShouldProcess($"{which} of {(NetworkNamespace is null ? "this network namespace" : "network namespace " + NetworkNamespace)}", "Remove"))
            table.Clear(AddressFamily);
    });
}
