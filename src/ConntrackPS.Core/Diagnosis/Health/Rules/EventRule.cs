namespace ConntrackPS.Diagnosis.Health.Rules;

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
