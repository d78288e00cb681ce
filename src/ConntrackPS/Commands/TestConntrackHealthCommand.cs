using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Commands;

/// <summary>Checks connection tracking for problems: reports evidence and a fix for each, or one finding of severity Ok. With -Quiet
/// it answers True or False.</summary>
[Cmdlet(VerbsDiagnostic.Test, "ConntrackHealth")]
[OutputType(typeof(ConntrackFinding), typeof(bool))]
public sealed class TestConntrackHealthCommand : ConntrackCommand
{
    private readonly HashSet<string> _ofTheMachine = [];

    /// <summary>Leaves out findings below this severity. By default, findings of Warning and Critical are emitted, or one of severity
    /// Ok on a healthy machine. Information adds advice.</summary>
    [Parameter]
    public FindingSeverity MinimumSeverity { get; set; } = FindingSeverity.Warning;

    /// <summary>The time to count drops and similar: seconds, or a span such as 1m, up to 1h. The default is 1 second.</summary>
    [Parameter]
    [Alias("SampleSeconds")]
    [DurationArgument(TakesOne = true, Maximum = 3600, TakesFractions = true)]
    public TimeSpan SampleTime { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Emits True on a healthy machine and False otherwise, instead of findings. Use it in an if, or in monitoring.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    /// <summary>The root folder of the system whose sysctl files are compared. The default is the running system.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string PersistRoot { get; set; } = "/";

    /// <summary>The way to read the table: a dump by netlink, or a BPF program that walks the table in the kernel (Bpf), which is several
    /// times faster for a large table. Auto, the default, takes the walk from 100,000 entries on, if the kernel and the process can.</summary>
    [Parameter]
    public TableEngine Engine { get; set; }

    /// <inheritdoc/>
    private protected override void Begin() => RefuseInput("Test-ConntrackHealth -NetworkNamespace NAME");

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

    /// <summary>True to emit the finding of severity Ok. It is left out if the user gives another -MinimumSeverity, because scripts send
    /// everything that they get.</summary>
    private bool ShowsHealth => MinimumSeverity == FindingSeverity.Ok || !MyInvocation.BoundParameters.ContainsKey(nameof(MinimumSeverity));

    private bool Look(NetworkNamespace? target, SystemRoot root)
    {
        HealthCheck check = new(target, root, SampleTime) { Engine = Engine };
        IReadOnlyList<HealthFinding> findings = check.Run(Stop);
        ReportEngine(check.EngineNote);
        foreach (UnreadableSettingException unreadable in check.Unreadable!)
            TellUnreadable(unreadable);
        HealthFinding[] shown = [.. findings.Where(finding => finding.Severity >= MinimumSeverity)];
        if (!Quiet)
        {
            foreach (HealthFinding finding in shown.Where(finding => target?.Name == finding.Namespace || _ofTheMachine.Add(finding.Name)))
                WriteObject(new ConntrackFinding(finding));
            if (shown.Length == 0 && check.Unreadable!.Count == 0 && ShowsHealth)
                WriteObject(new ConntrackFinding(check.Figures!));
        }

        if (findings.Count > shown.Length)
            WriteVerbose($"{findings.Count - shown.Length} findings below severity {MinimumSeverity} are not shown: -MinimumSeverity Information shows them.");
        return shown.Length == 0 && check.Unreadable!.Count == 0;
    }
}
