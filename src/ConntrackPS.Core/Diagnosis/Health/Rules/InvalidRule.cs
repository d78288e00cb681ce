using ConntrackPS.Diagnosis.Statistics;

namespace ConntrackPS.Diagnosis.Health.Rules;

/// <summary>Many packets are invalid.</summary>
internal sealed class InvalidRule : IHealthRule
{
    private const int Many = 10;
    private const double Share = 0.01;

    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        if (snapshot.Counted[Counter.Invalid] is not (>= Many and ulong invalid) || snapshot.Packets is not { } packets || invalid < packets * Share)
            yield break;
        yield return snapshot.Finding(
            FindingSeverity.Warning,
            "InvalidPackets",
            $"Invalid packets: {Figures.In(invalid, snapshot.Sample)}, of those that came in {Figures.Share((long)invalid, Math.Max(packets, (long)invalid))}.",
            "Packets outside their connection's window, without a connection, or with a wrong checksum. Often packets go one way past this router, or network cards compute checksums late. The log tells which packets.",
            new Remedy.SetSetting("LogInvalid", "All", new RemedyScope(snapshot.Namespace, RemedyTime.Now, snapshot.Root)));
    }
}
