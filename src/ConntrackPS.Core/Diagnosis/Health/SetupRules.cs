using System.Globalization;
using ConntrackPS.Blocking;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>Helpers read what connections carry, and let in the further connections that are announced there.</summary>
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
                "Helpers attach themselves to every connection on their port, whoever made it, and let further connections in. Attach them by rule where they are wanted.",
                snapshot.LastingSetting("Helper", false));
        }

        if (snapshot.Table.Helpers is { Count: > 0 } helpers)
        {
            yield return snapshot.Finding(
                FindingSeverity.Information,
                "HelperInUse",
                $"Entries with helpers: {string.Join(", ", helpers.Select(helper => $"{helper.Key} ({Figures.Of(helper.Value)})"))}.",
                "Helpers read what these connections say, and let the connections in that they announce. See that these are the ones you want.",
                new Remedy.ListHelped(snapshot.Namespace, [.. helpers.Keys]));
        }
    }
}

/// <summary>Entries come without counters or times.</summary>
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
                "Entries have no packet and byte counters: top talkers can't be told. Connections that begin later will have them.",
                snapshot.LastingSetting("Accounting", true));
        }

        if (IsOff(snapshot, "nf_conntrack_timestamp"))
        {
            yield return snapshot.Finding(
                FindingSeverity.Information,
                "TimestampOff",
                "nf_conntrack_timestamp is 0.",
                "Entries don't tell when they began, nor events how long a connection lasted. Connections that begin later will.",
                snapshot.LastingSetting("Timestamp", true));
        }
    }

    private static bool IsOff(HealthSnapshot snapshot, string setting) => snapshot.Settings.TryGetValue(setting, out long value) && value == 0;
}

/// <summary>Some connections make no events.</summary>
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
                ? "The kernel makes no events: loggers and others that listen hear nothing."
                : "Connections that began while nobody listened never make an event, not even their end. All do once this is on, at 6 to 10 % of the speed of set-up.",
            snapshot.LastingSetting("Events", "On"));
    }
}

/// <summary>The kernel does not have, or did not always have, what this process holds as a block.</summary>
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
                    "Its traffic passed for a moment, and may have made entries. It is blocked again now.",
                    Show(block))
                : snapshot.Finding(
                    FindingSeverity.Critical,
                    "BlockNotInForce",
                    Evidence(block),
                    "What is listed as blocked may pass. This process tries every second to block it again.",
                    Show(block));
        }
    }

    private static string Evidence(ConntrackBlock block) =>
        string.Create(CultureInfo.InvariantCulture, $"Block {block.Id} of {block.Traffic}: {block.Problem}");

    /// <summary>Blocks have their numbers from the process, so that no namespace need be named; to list one is to try again.
    /// </summary>
    private static Remedy.ShowBlock Show(ConntrackBlock block) => new(block.Id);
}
