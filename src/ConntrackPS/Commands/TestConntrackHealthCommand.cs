using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;
using ConntrackPS.Tuning.Settings;

namespace ConntrackPS.Commands;

/// <summary>Checks connection tracking for problems; reports evidence and a fix for each.</summary>
[Cmdlet(VerbsDiagnostic.Test, "ConntrackHealth")]
[OutputType(typeof(ConntrackFinding), typeof(bool))]
public sealed class TestConntrackHealthCommand : ConntrackCommand
{
    private static readonly TimeSpan LongestSample = TimeSpan.FromHours(1);

    private readonly HashSet<string> _ofTheMachine = [];

    /// <summary>The lowest severity to emit. With Information, advice is included.</summary>
    [Parameter]
    public FindingSeverity MinimumSeverity { get; set; } = FindingSeverity.Warning;

    /// <summary>How long to count drops and other events: seconds, or a span such as 1m.</summary>
    [Parameter]
    [DurationArgument(TakesOne = true)]
    public TimeSpan SampleSeconds { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Emits only True if no problem was found, and otherwise False.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    /// <summary>The root folder of the system whose sysctl files are compared. The default is the running system.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string PersistRoot { get; set; } = "/";

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() =>
    {
        if (SampleSeconds > LongestSample)
            throw new ValueRangeException($"-SampleSeconds {SampleSeconds.TotalSeconds} is out of range. Give 0 seconds to 1 hour (1h).");
        SystemRoot root = new(GetUnresolvedProviderPathFromPSPath(PersistRoot));
        bool isHealthy = true, isComplete = true;
        foreach (NetworkNamespace? target in Namespaces())
        {
            if (Stopping)
                return;
            isComplete = false;
            RunOne(
                () =>
                {
                    isHealthy &= Look(target, root);
                    isComplete = true;
                },
                target);
            isHealthy &= isComplete;
        }

        if (Quiet)
            WriteObject(isHealthy);
    });

    private bool Look(NetworkNamespace? target, SystemRoot root)
    {
        HealthCheck check = new(target, root, SampleSeconds);
        IReadOnlyList<HealthFinding> findings = check.Run(Stop);
        foreach (UnreadableSettingException unreadable in check.Unreadable!)
            TellUnreadable(unreadable);
        HealthFinding[] shown = [.. findings.Where(finding => finding.Severity >= MinimumSeverity)];
        if (!Quiet)
        {
            foreach (HealthFinding finding in shown.Where(finding => target?.Name == finding.Namespace || _ofTheMachine.Add(finding.Name)))
                WriteObject(new ConntrackFinding(finding));
        }

        if (findings.Count > shown.Length)
            WriteVerbose($"{findings.Count - shown.Length} findings below severity {MinimumSeverity} are not shown: -MinimumSeverity Information shows them.");
        return shown.Length == 0 && check.Unreadable!.Count == 0;
    }
}
