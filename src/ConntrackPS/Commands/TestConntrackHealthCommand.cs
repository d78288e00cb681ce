using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Commands;

/// <summary>Looks connection tracking over: what is wrong or soon will be, and the command line that mends it.</summary>
[Cmdlet(VerbsDiagnostic.Test, "ConntrackHealth")]
[OutputType(typeof(ConntrackFinding), typeof(bool))]
public sealed class TestConntrackHealthCommand : ConntrackCommand
{
    private readonly HashSet<string> _ofTheMachine = [];

    /// <summary>Findings below this severity are not emitted; with Information advice comes too.</summary>
    [Parameter]
    public FindingSeverity MinimumSeverity { get; set; } = FindingSeverity.Warning;

    /// <summary>How long to count drops and the like: seconds, or a span such as 1m; 1 second unless given, up to 1h.</summary>
    [Parameter]
    [Alias("SampleSeconds")]
    [DurationArgument(TakesOne = true, Maximum = 3600, TakesFractions = true)]
    public TimeSpan SampleTime { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Emits True where nothing was found, False otherwise, and nothing else.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    /// <summary>The root of the system whose sysctl files are compared; the running one unless given.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string PersistRoot { get; set; } = "/";

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() =>
    {
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
        HealthCheck check = new(target, root, SampleTime);
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
