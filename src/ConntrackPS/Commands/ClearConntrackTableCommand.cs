using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Expectations;
using ConntrackPS.Linux;

namespace ConntrackPS.Commands;

/// <summary>Empties the connection-tracking table or the table of expectations, or deletes the entries of one address family.</summary>
[Cmdlet(VerbsCommon.Clear, "ConntrackTable", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
public sealed class ClearConntrackTableCommand : ConntrackCommand
{
    /// <summary>The network namespace to work in: a name of <c>ip netns</c>, a path, or the id of a process in it.</summary>
    [Parameter]
    [Alias("Namespace")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public new string? NetworkNamespace
    {
        get => OneNamespaceName;
        set => OneNamespaceName = value;
    }

    /// <summary>IPv4 or IPv6. The default is both.</summary>
    [Parameter]
    [FamilyArgument]
    [ValidateSet(nameof(IPFamily.IPv4), nameof(IPFamily.IPv6))]
    public IPFamily AddressFamily { get; set; }

    /// <summary>Empties the table of expectations instead. The connections remain.</summary>
    [Parameter]
    public SwitchParameter Expectation { get; set; }

    /// <inheritdoc/>
    private protected override void Begin() => RefuseInput("Get-ConntrackEntry ... | Remove-ConntrackEntry, for some entries");

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() =>
    {
        NetworkNamespace? target = OneNamespace();
        string what = Expectation ? "expectations" : "entries";
        string which = AddressFamily == IPFamily.Unspecified ? $"all {what}" : $"all {AddressFamily} {what}";
        if (ShouldProcess($"{which} of {(target is null ? "this network namespace" : $"network namespace {target}")}", "Remove"))
            Clear(target);
    });

    private void Clear(NetworkNamespace? target)
    {
        if (Expectation)
            new ExpectationTable(target).Clear(AddressFamily);
        else
            WarnIfIncomplete(() => new ConntrackTable(target).Clear(AddressFamily));
    }
}
