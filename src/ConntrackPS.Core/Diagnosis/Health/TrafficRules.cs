using ConntrackPS.Conntrack;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>Finds unfinished TCP handshakes that fill the table: a flood, a scan, or a server that is down.</summary>
internal sealed class HalfOpenRule : IHealthRule
{
    private const int Many = 1000;
    private const double Share = 0.25;
    private const double OneSource = 0.5;

    /// <summary>For the handshake states, in seconds.</summary>
    private const int ShortTimeout = 20;

    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        TableSummary table = snapshot.Table;
        if (table.HalfOpen < Many || table.HalfOpen < table.Count * Share)
            yield break;
        IReadOnlyList<SourceCount> top = table.HalfOpenSources.Top(3);
        Remedy.DeleteEntries halfOpen = new(snapshot.Namespace) { States = [ConntrackState.SynSent, ConntrackState.SynRecv, ConntrackState.SynSent2] };
        yield return snapshot.Finding(
            FindingSeverity.Warning,
            "HalfOpenFlood",
            $"Half-open TCP connections: {Figures.Share(table.HalfOpen, table.Count)} entries; most from {Figures.Sources(top)}.",
            "Many TCP handshakes do not complete: a SYN flood, a scan, or a server that does not answer. Each one occupies an entry for up to two minutes. A normal client retries after its entry is removed.",
            top[0].Count >= table.HalfOpen * OneSource
                ? [halfOpen with { Source = top[0].Text }]
                : [snapshot.LastingTimeout(TimeoutState.SynSent, ShortTimeout), snapshot.LastingTimeout(TimeoutState.SynRecv, ShortTimeout), halfOpen]);
    }
}

/// <summary>Finds a table where half of the entries have no reply. <see cref="HalfOpenRule"/> handles TCP handshakes.</summary>
internal sealed class UnrepliedRule : IHealthRule
{
    private const int Many = 1000;
    private const double Share = 0.5;
    private const double OneSource = 0.5;

    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        TableSummary table = snapshot.Table;
        if (table.Unreplied < Many || table.Unreplied < table.Count * Share)
            yield break;
        IReadOnlyList<SourceCount> top = table.UnrepliedSources.Top(3);
        string? source = top[0].Count >= table.Unreplied * OneSource ? top[0].Text : null;
        yield return snapshot.Finding(
            FindingSeverity.Warning,
            "Unreplied",
            $"Entries without a reply, TCP handshakes apart: {Figures.Share(table.Unreplied, table.Count)}; most from {Figures.Sources(top)}.",
            "Many packets get no reply: a scan or a flood, a rule that drops replies, or traffic that is one-way by design.",
            new Remedy.DeleteEntries(snapshot.Namespace) { Unreplied = true, Source = source });
    }
}

/// <summary>Finds one source that has most of the entries.</summary>
internal sealed class SourceShareRule : IHealthRule
{
    private const int Many = 1000;
    private const double Share = 0.5;

    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        TableSummary table = snapshot.Table;
        if (table.Count < Many || table.Sources.Top(1) is not [SourceCount source] || source.Count < Many || source.Count < table.Count * Share)
            yield break;
        yield return snapshot.Finding(
            FindingSeverity.Warning,
            "SourceShare",
            $"{source.Text} holds {Figures.Share(source.Count, table.Count)} entries.",
            "One source with such a large share is a proxy, a scanner, or an infected host. Check its connections before you remove them.",
            new Remedy.DeleteEntries(snapshot.Namespace) { Source = source.Text, Judgement = "The source may be a proxy whose connections are wanted. Look at its entries first." });
    }
}

/// <summary>Finds idle connections that keep their entries for the kernel's default of five days.</summary>
internal sealed class IdleEstablishedRule : IHealthRule
{
    private const long FiveDays = 432000;
    private const long Day = 86400;
    private const int Many = 1000;
    private const double Share = 0.2;

    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        TableSummary table = snapshot.Table;
        if (table.EstablishedSeconds < FiveDays || table.IdleEstablished < Many || table.IdleEstablished < table.Count * Share)
            yield break;
        yield return snapshot.Finding(
            FindingSeverity.Warning,
            "IdleEstablished",
            $"Established TCP connections idle for over 2 hours: {Figures.Share(table.IdleEstablished, table.Count)} entries; the timeout is {Figures.Of(table.EstablishedSeconds)} s.",
            "Most of these connections are dead: a host disappeared without closing them. The timeout of five days keeps their entries in the table. The remedy shortens the timeout, and removes the entries that would have expired under the shorter one.",
            snapshot.LastingTimeout(TimeoutState.Established, Day),
            new Remedy.DeleteEntries(snapshot.Namespace)
            {
                Protocol = IPProtocol.Tcp,
                States = [ConntrackState.Established],
                TimeoutBelow = table.EstablishedSeconds - Day,
                TimeoutAbove = table.ShortenedSeconds,
            });
    }
}

/// <summary>Finds many invalid packets.</summary>
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
            $"Invalid packets: {Figures.In(invalid, snapshot.Sample)}, of incoming packets {Figures.Share((long)invalid, Math.Max(packets, (long)invalid))}.",
            "Packets are outside the TCP window of their connection, belong to no connection, or have a wrong checksum. Typical causes: asymmetric routing, or checksum offloading of network cards. The remedy logs these packets.",
            new Remedy.SetSetting("LogInvalid", "All", new RemedyScope(snapshot.Namespace, RemedyTime.Now, snapshot.Root)) { Judgement = "It only turns a log on. You have to read the log, and turn it off again." });
    }
}
