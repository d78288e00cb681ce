using System.Globalization;
using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Pipeline;
using ConntrackPS.Tuning.Persistence;
using ConntrackPS.Tuning.Settings;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Commands;

/// <summary>Checks the findings of Test-ConntrackHealth again, runs their remedies, and reports the results.</summary>
[Cmdlet(VerbsDiagnostic.Repair, "ConntrackHealth", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(ConntrackRepair))]
public sealed class RepairConntrackHealthCommand : ConntrackCommand
{
    private readonly List<ConntrackFinding> _findings = [];

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

    /// <summary>Findings of Test-ConntrackHealth, or objects with their properties from a file or remoting.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>The time to count drops and similar, before and after the repair: seconds, or a span such as 1m.</summary>
    [Parameter]
    [Alias("SampleSeconds")]
    [DurationArgument(TakesOne = true, Maximum = 3600)]
    public TimeSpan SampleTime { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The root of the system whose sysctl files are compared and changed. The default is the running system. If
    /// Test-ConntrackHealth had another one, give that one.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string PersistRoot { get; set; } = "/";

    /// <inheritdoc/>
    protected override void ProcessRecord() => ForEachInput(InputObject, Collect);

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        SystemRoot root = new(GetUnresolvedProviderPathFromPSPath(PersistRoot));
        string? named = null;
        Run(() => named = NamespaceName);
        foreach (IGrouping<string, ConntrackFinding> group in _findings.GroupBy(finding => named ?? finding.Namespace ?? ""))
        {
            if (Stopping)
                return;
            RunOne(() => Repair(NamespaceNamed(group.Key.Length == 0 ? null : group.Key), root, [.. group]), group.Key);
        }

        TellRepeated();
    }

    private void Collect(PSObject input)
    {
        try
        {
            ConntrackFinding finding = InputFinding.Read(input);
            if (finding.Severity == FindingSeverity.Ok)
                WriteVerbose($"{finding} needs no repair.");
            else
                _findings.Add(finding);
        }
        catch (FormatException exception)
        {
            WriteInputError(ErrorFactory.NotAFinding(input, exception), exception.Message);
        }
    }

    /// <summary>Checks for the findings again, runs their remedies, and checks once more.</summary>
    private void Repair(NetworkNamespace? target, SystemRoot root, IReadOnlyList<ConntrackFinding> findings)
    {
        HealthCheck check = new(target, root, SampleTime);
        IReadOnlyList<HealthFinding> before = check.Run(Stop);
        List<(HealthFinding Finding, ConntrackFinding Shown)> done = [];
        foreach (ConntrackFinding finding in findings.DistinctBy(finding => (finding.Name, finding.Remedy)))
        {
            if (Stopping)
                return;
            if (Find(finding, before, target) is not { } found || !MayRun(found))
                continue;
            ConntrackFinding shown = new(found);
            if (!ShouldProcess($"connection tracking{Within(target)}: {shown.Name}", shown.Remedy!))
                continue;
            bool isDone = false;
            RunOne(() => isDone = found.Remedies.All(remedy => Run(remedy, root)), shown);
            if (isDone)
                done.Add((found, shown));
            else
                WriteObject(new ConntrackRepair(shown, RepairResult.Failed, shown.Remedy, "The command failed: see the error."));
        }

        if (done.Count > 0)
            TellResults(done, before, check.Run(Stop));
    }

    /// <summary>The current finding with the same name and remedy. So nothing runs that was not found.</summary>
    private HealthFinding? Find(ConntrackFinding given, IReadOnlyList<HealthFinding> present, NetworkNamespace? target)
    {
        HealthFinding[] named = [.. present.Where(finding => finding.Name == given.Name)];
        if (named.FirstOrDefault(finding => RemedyText.Of(finding.Remedies) == given.Remedy) is { } found)
            return found;
        WriteObject(named.Length == 0
            ? new ConntrackRepair(given, RepairResult.NotFound, null, $"The finding does not exist here now{Within(target)}.")
            : new ConntrackRepair(
                given, RepairResult.Refused, null, $"The remedy has changed: {string.Join("; or: ", named.Select(finding => RemedyText.Of(finding.Remedies)))}. Run Test-ConntrackHealth again, and pipe its findings."));
        return null;
    }

    private bool MayRun(HealthFinding finding)
    {
        string? reason = finding.Remedies.Select(RemedyJudgement.Of).FirstOrDefault(reason => reason is not null)
            ?? (finding.Remedies.Any(remedy => ScopeOf(remedy)?.Machine == MachinePlace.Elsewhere)
                ? "Only the host can set it, in the initial network namespace. Run the command there."
                : null);
        if (reason is null)
            return true;
        ConntrackFinding shown = new(finding);
        WriteObject(new ConntrackRepair(shown, RepairResult.Refused, null, $"{reason} The command: {shown.Remedy}"));
        return false;
    }

    private void TellResults(
        List<(HealthFinding Finding, ConntrackFinding Shown)> done, IReadOnlyList<HealthFinding> before, IReadOnlyList<HealthFinding> after)
    {
        foreach ((HealthFinding finding, ConntrackFinding shown) in done)
        {
            // If several findings have the same name, the remedy identifies the right one. But the remedy can change after the repair.
            bool isAlone = before.Count(other => other.Name == finding.Name) == 1;
            HealthFinding? left = after.FirstOrDefault(other =>
                other.Name == finding.Name && other.Severity >= finding.Severity && (isAlone || RemedyText.Of(other.Remedies) == shown.Remedy));
            WriteObject(left is null
                ? new ConntrackRepair(shown, RepairResult.Repaired, shown.Remedy, "The finding is gone.")
                : new ConntrackRepair(shown, RepairResult.Remained, shown.Remedy, $"The finding is still there: {left.Evidence}"));
        }
    }

    private static RemedyScope? ScopeOf(Remedy remedy) => remedy switch
    {
        Remedy.SetSetting setting => setting.Scope,
        Remedy.SetTimeout timeout => timeout.Scope,
        _ => null,
    };

    /// <returns>False, after an error was written, if it failed.</returns>
    private bool Run(Remedy remedy, SystemRoot root) => remedy switch
    {
        Remedy.SetSetting setting => Set(setting),
        Remedy.SetTimeout timeout => Set(timeout),
        Remedy.DeleteEntries deletion => Delete(deletion),
        Remedy.CommentOut line => CommentOut(root, line.File, line.Beginning),
        Remedy.CommentOutHashSize options => CommentOut(root, options.File, Remedy.CommentOutHashSize.Beginning),
        _ => throw new NotSupportedException($"{remedy.GetType().Name} can't be run."),
    };

    private static NetworkNamespace? Place(RemedyScope scope) =>
        NamespaceNamed(scope.Machine == MachinePlace.OfFirstProcess ? MachineNamespace.OfFirstProcess : scope.Namespace);

    private bool Set(Remedy.SetSetting remedy)
    {
        RemedyScope scope = remedy.Scope;
        NetworkNamespace? target = Place(scope);
        ConntrackSettings settings = new(target);
        string value = Convert.ToString(remedy.Value, CultureInfo.InvariantCulture)!;
        (ConntrackSetting Setting, Int128 Number)[] changes =
        [
            .. from name in remedy.ScaleBucket ? (string[])["Buckets", remedy.Name] : [remedy.Name]
               let setting = settings.Find(name)
               select (setting, SettingValue.Parse(setting.Definition, value)),
        ];

        // Buckets are set before the maximum: if there is no memory for them, nothing has changed yet.
        if (scope.Time != RemedyTime.AtBoot)
        {
            Array.ForEach(changes, change => change.Setting.RequireWritable());
            Array.ForEach(changes, change => settings.Set(change.Setting, change.Number));
        }

        return Persist(scope, [.. changes.Select(change => (change.Setting.Definition.FileName, (Int128?)change.Number))]);
    }

    private bool Set(Remedy.SetTimeout remedy)
    {
        TimeoutDefinition definition = TimeoutCatalog.Find(remedy.Protocol, remedy.State?.ToString());
        uint seconds = checked((uint)remedy.Seconds);
        if (remedy.Scope.Time != RemedyTime.AtBoot)
            new TimeoutDefaults(Place(remedy.Scope)).Set(definition, seconds);
        return Persist(remedy.Scope, (definition.Sysctl!, seconds));
    }

    private bool Persist(RemedyScope scope, params (string Name, Int128? Value)[] changes) =>
        scope.Time == RemedyTime.Now || WriteFiles(scope.Root, isSet: scope.Time == RemedyTime.NowAndAtBoot, changes);

    private bool Delete(Remedy.DeleteEntries remedy)
    {
        ConntrackFilter filter = new()
        {
            Unreplied = remedy.Unreplied,
            Protocol = remedy.Protocol is { } protocol ? [protocol] : [],
            State = remedy.States,
            TimeoutBelow = (uint?)remedy.TimeoutBelow,
            TimeoutAbove = (uint?)remedy.TimeoutAbove,
        };
        if (remedy.Source is { } source)
            filter = TupleProperties.AddressIn(TuplePlaces.OriginalSource).AskText(filter, source);
        ConntrackTable table = new(NamespaceNamed(remedy.Namespace));
        DeleteSummary sum = table.Delete(filter, result => WriteError(ErrorFactory.From(result.Failure!, result.Entry)), stop: Stop);
        WriteVerbose($"{Counted.Entries(sum.Deleted)} removed.");
        return sum.Failed == 0;
    }

    private bool CommentOut(SystemRoot root, string file, string beginning)
    {
        try
        {
            BootLines.CommentOut(root, file, beginning);
            return true;
        }
        catch (PersistenceException exception)
        {
            WriteError(ErrorFactory.NotPersisted(exception, isSet: false));
            return false;
        }
    }
}
