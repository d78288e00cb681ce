namespace ConntrackPS.Tests.Infrastructure;

/// <summary>An event in the output of conntrack(8).</summary>
internal sealed record EventRecord(string Type, DateTime When, ulong? Start, ulong? Stop, uint? PortId, FlowRecord Flow);
