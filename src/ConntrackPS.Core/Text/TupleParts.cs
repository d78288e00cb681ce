namespace ConntrackPS.Text;

/// <summary>What a text says of one direction.</summary>
[Flags]
internal enum TupleParts : ushort
{
    None = 0,
    Source = 1 << 0,
    Destination = 1 << 1,
    SourcePort = 1 << 2,
    DestinationPort = 1 << 3,
    IcmpType = 1 << 4,
    IcmpCode = 1 << 5,
    IcmpId = 1 << 6,
    SourceKey = 1 << 7,
    DestinationKey = 1 << 8,

    Addresses = Source | Destination,
    Ports = SourcePort | DestinationPort,
    Icmp = IcmpType | IcmpCode | IcmpId,
    Keys = SourceKey | DestinationKey,
}
