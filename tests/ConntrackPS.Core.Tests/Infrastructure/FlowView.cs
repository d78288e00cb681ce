using System.Net;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Converts the library's entries to the output of another tool, without the values that the tool can't show.</summary>
internal static class FlowView
{
    public static FlowRecord Of(ConntrackEntry entry) =>
        new((int)entry.AddressFamily, (int)entry.Protocol, Original(entry), Reply(entry))
        {
            State = entry.State is { } state ? KernelSpelling(state) : null,
            Timeout = entry.TimeoutSeconds,
            Mark = entry.Mark,
            Zone = entry.Zone,
            Use = entry.UseCount,
            Id = entry.Id,
            IsUnreplied = !entry.Status.HasFlag(ConntrackStatus.SeenReply),
            IsAssured = entry.Status.HasFlag(ConntrackStatus.Assured),
            Helper = entry.Helper,
            Labels = entry.Labels,
            Age = entry.StartTime is { } start ? (long)(DateTime.Now - start).TotalSeconds : null,
        };

    /// <summary>conntrack's XML has only the addresses of ICMP, and uses TCP names for SCTP states.</summary>
    public static FlowRecord AsXml(FlowRecord flow) => WithDccpPorts(flow) with
    {
        Original = WithDccpPorts(flow).Original with { IcmpType = null, IcmpCode = null, IcmpId = null },
        Reply = WithDccpPorts(flow).Reply with { IcmpType = null, IcmpCode = null, IcmpId = null },
        State = flow.Protocol == 132 ? null : flow.State,
        Labels = null,
    };

    public static FlowRecord AsText(FlowRecord flow) => WithDccpPorts(flow);

    /// <summary>/proc shows no id, helper or labels. Its "use" includes the reference of the reader.</summary>
    public static FlowRecord AsProc(FlowRecord flow) => flow with { Id = null, Helper = null, Labels = null, Use = flow.Use + 1 };

    /// <summary>Kernels since 6.x have no ports for DCCP. conntrack shows 0 for them.</summary>
    private static FlowRecord WithDccpPorts(FlowRecord flow) => flow.Protocol != 33 || flow.Original.SourcePort is not null
        ? flow
        : flow with
        {
            Original = flow.Original with { SourcePort = 0, DestinationPort = 0 },
            Reply = flow.Reply with { SourcePort = 0, DestinationPort = 0 },
        };

    private static FlowDirection Original(ConntrackEntry entry) => new(Address(entry.SourceAddress!), Address(entry.DestinationAddress!))
    {
        SourcePort = entry.SourcePort,
        DestinationPort = entry.DestinationPort,
        IcmpType = entry.IcmpType,
        IcmpCode = entry.IcmpCode,
        IcmpId = entry.IcmpId,
        SourceKey = entry.GreSourceKey,
        DestinationKey = entry.GreDestinationKey,
        Zone = entry.OriginalZone,
        Packets = entry.OriginalPackets,
        Bytes = entry.OriginalBytes,
    };

    private static FlowDirection Reply(ConntrackEntry entry) => new(Address(entry.ReplySourceAddress!), Address(entry.ReplyDestinationAddress!))
    {
        SourcePort = entry.ReplySourcePort,
        DestinationPort = entry.ReplyDestinationPort,
        IcmpType = entry.ReplyIcmpType,
        IcmpCode = entry.ReplyIcmpCode,
        IcmpId = entry.ReplyIcmpId,
        SourceKey = entry.ReplyGreSourceKey,
        DestinationKey = entry.ReplyGreDestinationKey,
        Zone = entry.ReplyZone,
        Packets = entry.ReplyPackets,
        Bytes = entry.ReplyBytes,
    };

    // The tools write IPv6 addresses in several forms. Only the address matters here.
    private static string Address(string text) => IPAddress.Parse(text).ToString();

    private static string KernelSpelling(ConntrackState state) =>
        Names.UpperSnake(state.ToString());
}
