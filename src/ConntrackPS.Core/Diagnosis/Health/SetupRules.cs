using System.Globalization;
using ConntrackPS.Blocking;
using ConntrackPS.Rules;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>Finds helpers, which parse application data and accept the further connections that it requests.</summary>
internal sealed class HelperRule : IHealthRule
{
    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        if (snapshot.Settings.TryGetValue("nf_conntrack_helper", out long automatic) && automatic != 0)
        {
            yield return snapshot.Finding(
                FindingSeverity.Warning,
                "AutomaticHelper",
                "nf_conntrack_helper is 1.",
                "The kernel attaches helpers to every connection on their port, from any host, and helpers allow further connections. Attach helpers by rules instead.",
                snapshot.LastingSetting("Helper", false));
        }

        if (snapshot.Table.Helpers is { Count: > 0 } helpers)
        {
            yield return snapshot.Finding(
                FindingSeverity.Information,
                "HelperInUse",
                $"Entries with helpers: {string.Join(", ", helpers.Select(helper => $"{helper.Key} ({Figures.Of(helper.Value)})"))}.",
                "Helpers read the payload of these connections, and allow the connections announced there. Check that you want this for each of them.",
                new Remedy.ListHelped(snapshot.Namespace, [.. helpers.Keys]));
        }
    }
}

/// <summary>Finds accounting or timestamps switched off: entries then have no counters or times.</summary>
internal sealed class AccountingRule : IHealthRule
{
    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        if (IsOff(snapshot, "nf_conntrack_acct"))
        {
            yield return snapshot.Finding(
                FindingSeverity.Information,
                "AccountingOff",
                "nf_conntrack_acct is 0.",
                "Entries have no packet and byte counters, so the hosts with the most traffic cannot be found. After the remedy, new connections have counters.",
                snapshot.LastingSetting("Accounting", true));
        }

        if (IsOff(snapshot, "nf_conntrack_timestamp"))
        {
            yield return snapshot.Finding(
                FindingSeverity.Information,
                "TimestampOff",
                "nf_conntrack_timestamp is 0.",
                "Entries have no start time, and events have no duration. After the remedy, new connections have both.",
                snapshot.LastingSetting("Timestamp", true));
        }
    }

    private static bool IsOff(HealthSnapshot snapshot, string setting) => snapshot.Settings.TryGetValue(setting, out long value) && value == 0;
}

/// <summary>Finds settings with which some connections produce no events.</summary>
internal sealed class EventRule : IHealthRule
{
    private const long Off = 0;
    private const long On = 1;

    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        if (!snapshot.Settings.TryGetValue("nf_conntrack_events", out long setting) || setting == On)
            yield break;
        yield return snapshot.Finding(
            FindingSeverity.Information,
            setting == Off ? "EventsOff" : "EventsAuto",
            $"nf_conntrack_events is {setting}.",
            setting == Off
                ? "The kernel produces no events, so loggers and other listeners receive nothing."
                : "Connections opened before a listener was running produce no events, not even when they end. With On, all new connections produce events; opening a connection then takes 6 to 10 % longer.",
            snapshot.LastingSetting("Events", "On"));
    }
}

/// <summary>Finds rules of this process, and persisted rules, that are missing in the kernel, or were missing for a time.</summary>
internal sealed class TrafficRuleRule : IHealthRule
{
    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        foreach (ConntrackRule rule in snapshot.Rules)
        {
            if (!rule.IsInForce)
            {
                yield return snapshot.Finding(
                    rule.Lifetime == RuleLifetime.Process ? FindingSeverity.Critical : FindingSeverity.Warning,
                    "RuleNotInForce",
                    $"Rule {rule}: {rule.Problem ?? $"the kernel has no such table, only the file {rule.File}."}",
                    rule.Lifetime == RuleLifetime.Process
                        ? "The rule has no effect. This process tries every second to add it again."
                        : "The rule has no effect until the file is loaded, by the nftables service or by nft. Another program removed its table, for example nft flush ruleset.",
                    rule.File is { } file ? new Remedy.LoadRules(file) : new Remedy.ShowRule(rule.Name, snapshot.Namespace));
            }
            else if (rule.Problem is { } problem)
            {
                yield return snapshot.Finding(
                    FindingSeverity.Warning,
                    "RuleLost",
                    $"Rule {rule}: {problem}",
                    "The rule had no effect for a short time. It is in force again now.",
                    new Remedy.ShowRule(rule.Name, snapshot.Namespace));
            }
        }
    }
}

/// <summary>Finds blocks of this process that are missing in the kernel, or were missing for a time.</summary>
internal sealed class BlockRule : IHealthRule
{
    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        foreach (ConntrackBlock block in snapshot.Blocks.Where(block => block.Problem is not null))
        {
            yield return block.IsInForce
                ? snapshot.Finding(
                    FindingSeverity.Warning,
                    "BlockLost",
                    Evidence(block),
                    "The traffic passed for a short time and may have created entries. It is blocked again now.",
                    Show(block))
                : snapshot.Finding(
                    FindingSeverity.Critical,
                    "BlockNotInForce",
                    Evidence(block),
                    "The traffic of this block may pass. This process tries every second to block it again.",
                    Show(block));
        }
    }

    private static string Evidence(ConntrackBlock block) =>
        string.Create(CultureInfo.InvariantCulture, $"Block {block.Id} of {block.Traffic}: {block.Problem}");

    /// <summary>A block's number is unique in the process, so no namespace is needed. Showing a block also tries to restore it.</summary>
    private static Remedy.ShowBlock Show(ConntrackBlock block) => new(block.Id);
}
