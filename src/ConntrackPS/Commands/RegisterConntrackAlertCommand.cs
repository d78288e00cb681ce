using System.Management.Automation;
using ConntrackPS.Alerts;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Errors;
using ConntrackPS.Eventing;
using ConntrackPS.Linux;

namespace ConntrackPS.Commands;

/// <summary>Watches connection tracking in the background, and raises an engine event when a problem begins, and when it is over;
/// Unregister-Event ends it.</summary>
[Cmdlet(VerbsLifecycle.Register, "ConntrackAlert")]
[OutputType(typeof(PSEventJob))]
public sealed class RegisterConntrackAlertCommand : ConntrackCommand, IEngineSubscriber
{
    private string[] _findings = [];

    /// <summary>The name of the subscription.</summary>
    [Parameter(Position = 0)]
    [ValidateNotNullOrEmpty]
    public string SourceIdentifier { get; set; } = Guid.NewGuid().ToString();

    /// <summary>The script that runs for each alert, in which $EventArgs.Alert is the alert. Without it, Get-Event and Wait-Event return
    /// the alerts.</summary>
    [Parameter(Position = 1)]
    [ValidateNotNull]
    public ScriptBlock? Action { get; set; }

    /// <summary>Raises an alert if the table is fuller than this percentage of its maximum.</summary>
    [Parameter]
    [ValidateRange(0.0, 100.0)]
    public double FillAbove { get; set; }

    /// <summary>Clears that alert when the fill is below this percentage. The default is nine tenths of -FillAbove.</summary>
    [Parameter]
    [ValidateRange(0.0, 100.0)]
    public double FillBelow { get; set; }

    /// <summary>Raises an alert if the kernel drops packets of new connections, deletes entries to make room, or can't insert
    /// entries.</summary>
    [Parameter]
    public SwitchParameter Drop { get; set; }

    /// <summary>Raises an alert for these findings of Test-ConntrackHealth, by name or with wildcards. Wildcards match only findings of
    /// severity Warning and Critical.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(FindingCompleter))]
    public string[]? Finding { get; set; }

    /// <summary>The time from one reading to the next: seconds, or a span such as 1m. The default is 10 seconds.</summary>
    [Parameter]
    [DurationArgument(TakesOne = true, Minimum = 1, Maximum = 24 * 3600, TakesFractions = true)]
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The time without drops after which the alert of -Drop is cleared: seconds, or a span. The default is 5 minutes.</summary>
    [Parameter]
    [DurationArgument(TakesOne = true, Maximum = 7 * 24 * 3600, TakesFractions = true)]
    public TimeSpan QuietTime { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Data for the action, which has it as $Event.MessageData.</summary>
    [Parameter]
    public PSObject? MessageData { get; set; }

    /// <summary>Hides the subscription, for subscriptions that support another one.</summary>
    [Parameter]
    public SwitchParameter SupportEvent { get; set; }

    /// <summary>Sends the alerts to the calling session, if this runs in a remote session.</summary>
    [Parameter]
    public SwitchParameter Forward { get; set; }

    /// <summary>Ends the subscription after this number of alerts, raised or cleared. 0, the default, means never.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int MaxTriggerCount { get; set; }

    /// <inheritdoc/>
    private protected override void Begin()
    {
        RefuseInput("Register-ConntrackAlert -NetworkNamespace NAME");
        if (FindMistake() is { } mistake)
            ThrowTerminatingError(mistake);
    }

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(Subscribe);

    private bool IsGiven(string parameter) => MyInvocation.BoundParameters.ContainsKey(parameter);

    private ErrorRecord? FindMistake()
    {
        if (IsGiven(nameof(FillBelow)) && !(FillBelow <= FillAbove && IsGiven(nameof(FillAbove))))
            return ErrorFactory.InvalidFillBelow(FillBelow, IsGiven(nameof(FillAbove)) ? FillAbove : null);
        if (!IsGiven(nameof(FillAbove)) && !Drop && Finding is null)
            return ErrorFactory.NoThreshold();
        _findings = Finding ?? [];
        return _findings.FirstOrDefault(name => !FindingKinds.All.Any(kind => PatternOf(name).IsMatch(kind.Name))) is { } unknown
            ? ErrorFactory.FindingNotKnown(unknown)
            : EngineSubscription.Refuse(this, Events);
    }

    private void Subscribe()
    {
        AlertWatcher watcher = new(BuildOptions());
        bool isOwned = false;
        try
        {
            foreach (NetworkNamespace? target in Namespaces())
                RunOne(() => watcher.Add(target, Stop), target);
            if (watcher.Count == 0 || Stopping)
                return;
            isOwned = true;
            if (EngineSubscription.Start(new ConntrackAlertSource(watcher), nameof(ConntrackAlertSource.AlertArrived), this, Events) is { } job)
                WriteObject(job);
        }
        catch (ArgumentException refused) when (isOwned)
        {
            ThrowTerminatingError(ErrorFactory.InvalidSubscription(refused, SourceIdentifier));
        }
        finally
        {
            if (!isOwned)
                watcher.Dispose();
        }
    }

    private AlertOptions BuildOptions() => new()
    {
        FillAbove = IsGiven(nameof(FillAbove)) ? FillAbove : null,
        FillBelow = IsGiven(nameof(FillBelow)) ? FillBelow : null,
        Drop = Drop,
        Finding = _findings.Length == 0 ? null : IsWanted,
        Interval = Interval,
        QuietTime = QuietTime,
    };

    /// <summary>A finding that is only information makes an alert if the user wrote its name.</summary>
    private bool IsWanted(HealthFinding finding) => _findings.Any(name =>
        PatternOf(name).IsMatch(finding.Name) && (finding.Severity >= FindingSeverity.Warning || !WildcardPattern.ContainsWildcardCharacters(name)));

    private static WildcardPattern PatternOf(string name) => new(name, WildcardOptions.IgnoreCase | WildcardOptions.CultureInvariant);
}
