namespace ConntrackPS.Tests.Infrastructure;

/// <summary>One direction of a flow in the output of another tool.</summary>
internal sealed record FlowDirection(string Source, string Destination)
{
    public ushort? SourcePort { get; init; }

    public ushort? DestinationPort { get; init; }

    public byte? IcmpType { get; init; }

    public byte? IcmpCode { get; init; }

    public ushort? IcmpId { get; init; }

    public ushort? SourceKey { get; init; }

    public ushort? DestinationKey { get; init; }

    public ushort? Zone { get; init; }

    public ulong? Packets { get; init; }

    public ulong? Bytes { get; init; }
}

/// <summary>A flow in the output of another tool. Values that the tool does not show are null.</summary>
internal sealed record FlowRecord(int Family, int Protocol, FlowDirection Original, FlowDirection Reply)
{
    public string? State { get; init; }

    public long? Timeout { get; init; }

    public uint? Mark { get; init; }

    public ushort Zone { get; init; }

    public uint? Use { get; init; }

    public uint? Id { get; init; }

    public bool IsUnreplied { get; init; }

    public bool IsAssured { get; init; }

    public string? Helper { get; init; }

    public string? Labels { get; init; }

    /// <summary>Seconds since the start of the flow.</summary>
    public long? Age { get; init; }
}
