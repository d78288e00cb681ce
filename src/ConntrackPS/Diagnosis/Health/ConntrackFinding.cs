using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Errors;
using ConntrackPS.Linux;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>A problem of connection tracking, with its evidence and the command line that fixes it.</summary>
/// <remarks>The core's <see cref="HealthFinding"/> has the remedy as data.</remarks>
public sealed class ConntrackFinding
{
    internal ConntrackFinding(HealthFinding finding)
    {
        Severity = finding.Severity;
        Name = finding.Name;
        Evidence = finding.Evidence;
        Explanation = RemedyText.Explain(finding);
        Remedy = finding.Remedies.Count == 0 ? null : RemedyText.Of(finding.Remedies);
        Namespace = finding.Namespace;
    }

    /// <summary>Creates a finding from a file or from remoting.</summary>
    internal ConntrackFinding(FindingSeverity severity, string name, string evidence, string explanation, string? remedy, string? networkNamespace) =>
        (Severity, Name, Evidence, Explanation, Remedy, Namespace) = (severity, name, evidence, explanation, remedy, networkNamespace);

    /// <summary>The severity.</summary>
    public FindingSeverity Severity { get; }

    /// <summary>The stable name, such as TableFull.</summary>
    public string Name { get; }

    /// <summary>The figures that show the problem.</summary>
    public string Evidence { get; }

    /// <summary>The meaning of the evidence.</summary>
    public string Explanation { get; }

    /// <summary>The command line that fixes the problem, or shows more if no command can fix it; null if there is no problem.
    /// Repair-ConntrackHealth runs it.</summary>
    public string? Remedy { get; }

    /// <summary>The network namespace, as the user named it; null for the caller's own, and for values that all namespaces share.</summary>
    public string? Namespace { get; }

    /// <summary>One line: <c>Critical TableFull: 262144 of 262144 entries</c>.</summary>
    public override string ToString() => $"{Severity} {Name}: {Evidence}";
}

/// <summary>The PowerShell texts of findings: remedies as command lines, and explanations that name cmdlets.</summary>
internal static class RemedyText
{
    private const int Day = 86400;

    /// <summary>Remedies as one command line, which runs from left to right.</summary>
    public static string Of(IEnumerable<Remedy> remedies) => string.Join("; ", remedies.Select(Of).Distinct());

    /// <summary>A remedy as a command line.</summary>
    public static string Of(Remedy remedy) => remedy switch
    {
        Remedy.SetSetting setting =>
            $"Set-ConntrackSetting -Name {setting.Name} -Value {CommandLine.Value(setting.Value)}{(setting.ScaleBucket ? " -ScaleBucket" : "")}{At(setting.Scope)}",
        Remedy.SetTimeout timeout => Line(
            $"Set-ConntrackTimeout -Protocol {timeout.Protocol}{(timeout.State is { } state ? $" -State {state}" : "")} -Timeout {Duration(timeout)}{At(timeout.Scope)}"),
        Remedy.DeleteEntries deletion => Delete(deletion),
        Remedy.ListHelped helped => $"Get-ConntrackEntry -Helper {string.Join(", ", helped.Helpers)}{CommandLine.Where(helped.Namespace)}",
        Remedy.ListBusiestSources sources =>
            $"Get-ConntrackEntry{CommandLine.Where(sources.Namespace)} | Group-Object SourceAddress -NoElement | Sort-Object Count -Descending | Select-Object -First 10",
        Remedy.ShowCounters counters => "Get-ConntrackStat -PerCpu -Interval 5 -Count 12" + CommandLine.Where(counters.Namespace),
        Remedy.ShowSetting setting => "Get-ConntrackSetting -Name " + setting.Name,
        Remedy.ShowPersisted => "Get-ConntrackSetting | Format-Table Name, Value, PersistedValue, PersistedIn",
        Remedy.ListFiles files => $"Get-ChildItem -Path {string.Join(", ", files.Paths.Select(CommandLine.Quote))} -ErrorAction Ignore",
        Remedy.ShowBlock block => Line($"Get-ConntrackBlock -Id {block.Id} | Format-List"),
        Remedy.ShowRule rule => Line($"Get-ConntrackRule -Name {rule.Name}{CommandLine.Where(rule.Namespace)} | Format-List"),
        Remedy.LoadRules rules => $"nft -f {CommandLine.Quote(rules.File)}",
        Remedy.CommentOut line => CommentOut(line.File, line.Beginning),
        Remedy.CommentOutHashSize options => CommentOut(options.File, Remedy.CommentOutHashSize.Beginning),
        _ => throw new NotSupportedException($"{remedy.GetType().Name} has no command line."),
    };

    /// <summary>The explanation of a finding, with the names of cmdlets.</summary>
    public static string Explain(HealthFinding finding) => finding.Name switch
    {
        "EventsOff" => "The kernel produces no events, so Watch-ConntrackEvent and loggers receive nothing.",
        "SourceShare" => "One source with such a large share is a proxy, a scanner, or an infected host. Check its connections with Get-ConntrackEntry before you remove them.",
        "PersistedWithoutEffect" => "Boot does not apply this line. Remove the line, and set the value that you want with -Persist.",
        _ => finding.Explanation,
    };

    /// <summary>The parameters for the namespace and for persistence.</summary>
    private static string At(RemedyScope scope) => scope.Machine switch
    {
        // Here the command would be refused and change nothing.
        MachinePlace.Elsewhere => " # on the host: in the initial network namespace",
        MachinePlace.OfFirstProcess => $" -NetworkNamespace {MachineNamespace.OfFirstProcess}{Until(scope)}",
        _ => CommandLine.Where(scope.Namespace) + Until(scope),
    };

    private static string Until(RemedyScope scope) => scope.Time switch
    {
        RemedyTime.NowAndAtBoot => " -Persist" + CommandLine.Root(scope.Root),
        RemedyTime.AtBoot => " -PersistOnly" + CommandLine.Root(scope.Root),
        _ => "",
    };

    /// <summary>A new timeout of whole days is written in days. Otherwise it is written in seconds.</summary>
    private static string Duration(Remedy.SetTimeout timeout) => timeout.Scope.Time != RemedyTime.AtBoot && timeout.Seconds % Day == 0
        ? Line($"{timeout.Seconds / Day}d")
        : Line($"{timeout.Seconds}");

    /// <summary>A deletion as a command line. Without a condition it would delete every entry, so that is an error.</summary>
    private static string Delete(Remedy.DeleteEntries deletion)
    {
        string conditions = string.Concat(
            deletion.Unreplied ? " -Unreplied" : "",
            deletion.Source is { } source ? $" -SourceAddress {source}" : "",
            deletion.Protocol is { } protocol ? $" -Protocol {ProtocolNames.ToKernel(protocol)}" : "",
            deletion.States.Count > 0 ? $" -State {string.Join(", ", deletion.States)}" : "") + string.Concat(
            deletion.TimeoutBelow is { } below ? Line($" -TimeoutBelow {below}") : "",
            deletion.TimeoutAbove is { } above ? Line($" -TimeoutAbove {above}") : "");
        return conditions.Length > 0
            ? $"Remove-ConntrackEntry{conditions}{CommandLine.Where(deletion.Namespace)}"
            : throw new ArgumentException("No entry is named.", nameof(deletion));
    }

    /// <summary>A command line that comments out the lines with a beginning. Latin-1 keeps every byte.</summary>
    private static string CommentOut(string file, string beginning) =>
        $"(Get-Content -Raw -Encoding latin1 -LiteralPath {CommandLine.Quote(file)}) -replace '(?m)^(?={beginning})', '# '"
        + $" | Set-Content -NoNewline -Encoding latin1 -LiteralPath {CommandLine.Quote(file)}";

    private static string Line(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

/// <summary>The result of Repair-ConntrackHealth for a finding.</summary>
public enum RepairResult
{
    /// <summary>The command ran, and the finding is gone.</summary>
    Repaired,

    /// <summary>The command ran, and the finding is still there.</summary>
    Remained,

    /// <summary>Nothing ran, because a person has to decide.</summary>
    Refused,

    /// <summary>Nothing ran, because the finding is gone or is of another machine.</summary>
    NotFound,

    /// <summary>The command failed; the error says why.</summary>
    Failed,
}

/// <summary>A finding that was piped into Repair-ConntrackHealth, and the result.</summary>
public sealed class ConntrackRepair
{
    internal ConntrackRepair(ConntrackFinding finding, RepairResult result, string? command, string reason) =>
        (Finding, Result, Command, Reason) = (finding, result, command, reason);

    /// <summary>The finding of the check before the repair, or the piped one if it was not found again.</summary>
    public ConntrackFinding Finding { get; }

    /// <summary>The finding's name, such as TableFull.</summary>
    public string Name => Finding.Name;

    /// <summary>The result.</summary>
    public RepairResult Result { get; }

    /// <summary>The command line that ran; null if nothing ran.</summary>
    public string? Command { get; }

    /// <summary>The reason for the result.</summary>
    public string Reason { get; }

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace => Finding.Namespace;

    /// <summary>One line: <c>TableFull: Repaired</c>.</summary>
    public override string ToString() => $"{Name}: {Result}";
}
