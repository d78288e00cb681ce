namespace ConntrackPS.Tests.Infrastructure;

/// <summary>An event as conntrack(8) shows it.</summary>
internal sealed record EventRecord(string Type, DateTime When, ulong? Start, ulong? Stop, uint? PortId, FlowRecord Flow);
