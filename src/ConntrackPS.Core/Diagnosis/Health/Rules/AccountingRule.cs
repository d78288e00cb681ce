namespace ConntrackPS.Diagnosis.Health.Rules;

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
