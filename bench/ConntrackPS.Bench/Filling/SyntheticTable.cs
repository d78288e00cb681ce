using ConntrackPS.Conntrack;

namespace ConntrackPS.Bench.Filling;

/// <summary>A table that is the same in every run: entry by entry from its index.</summary>
/// <remarks>Of the entries every second comes from one busy source and every second pair has mark 1. 20 % are IPv6. 70 %
/// are TCP in all its states, two fifths of these in SYN_SENT; 25 % UDP, 5 % ICMP. The sources other than the busy one
/// number 65,536 in each family. A flow's destination and source port name its index, so that no two collide.</remarks>
internal static class SyntheticTable
{
    private const uint BusySource = 0x0a00_0001;
    private const uint OtherSources = 0x0a01_0000;
    private const uint Destinations = 0xc612_0000;
    private const ulong SourcesV6 = 0x2001_0db8_0001_0000;
    private const ulong DestinationsV6 = 0x2001_0db8_0002_0000;
    private const int PortsPerDestination = 60_000;
    private const ushort EchoRequest = 8 << 8;
    private const ushort EchoRequestV6 = 128 << 8;
    private const ushort EchoReplyV6 = 129 << 8;

    private static readonly ConntrackState[] TcpStates =
    [
        .. Enumerable.Repeat(ConntrackState.SynSent, 8), .. Enumerable.Repeat(ConntrackState.Established, 5),
        ConntrackState.SynRecv, ConntrackState.FinWait, ConntrackState.CloseWait, ConntrackState.LastAck,
        ConntrackState.TimeWait, ConntrackState.Close, ConntrackState.SynSent2,
    ];

    public static ConntrackEntry Entry(int index)
    {
        uint dice = Scatter((uint)index);
        bool isBusy = index % 2 == 0, isV6 = !isBusy && dice % 100 < 40;
        IPProtocol protocol = (dice / 100 % 100) switch
        {
            < 70 => IPProtocol.Tcp,
            < 95 => IPProtocol.Udp,
            _ => isV6 ? IPProtocol.IcmpV6 : IPProtocol.Icmp,
        };
        ConntrackTuple original = Tuple(index, isBusy, isV6, protocol, dice);
        ConntrackEntry entry = new()
        {
            Data = new EntryData
            {
                Original = original,
                Reply = ReplyTo(original),
                Timeout = 3600,
                Fields = EntryFields.Timeout,
                Mark = index / 2 % 2 == 0 ? 1u : 0,
                Status = ConntrackStatus.Confirmed,
            },
        };
        if (protocol == IPProtocol.Tcp)
            (entry.Data.State, entry.Fields) = (TcpStates[dice / 10_000 % TcpStates.Length], entry.Fields | EntryFields.State);
        bool isAnswered = protocol == IPProtocol.Tcp
            ? entry.Data.State is not (ConntrackState.SynSent or ConntrackState.SynSent2)
            : dice / 10_000 % 2 == 0;
        if (isAnswered)
            entry.Status |= ConntrackStatus.SeenReply | ConntrackStatus.Assured;
        return entry;
    }

    private static ConntrackTuple Tuple(int index, bool isBusy, bool isV6, IPProtocol protocol, uint dice)
    {
        uint source = dice >> 16, destination = (uint)(index / PortsPerDestination);
        return new ConntrackTuple
        {
            Family = isV6 ? IPFamily.IPv6 : IPFamily.IPv4,
            Protocol = protocol,
            HasPorts = true,
            Source = isV6 ? new AddressBits(SourcesV6, source)
                : new AddressBits(0, isBusy ? BusySource : OtherSources + source),
            Destination = isV6 ? new AddressBits(DestinationsV6, destination) : new AddressBits(0, Destinations + destination),
            SourcePort = (ushort)(1024 + index % PortsPerDestination),
            DestinationPort = protocol switch
            {
                IPProtocol.Tcp => 443,
                IPProtocol.Udp => 53,
                IPProtocol.Icmp => EchoRequest,
                _ => EchoRequestV6,
            },
        };
    }

    private static ConntrackTuple ReplyTo(ConntrackTuple original) => original with
    {
        Source = original.Destination,
        Destination = original.Source,
        SourcePort = original.IsIcmp ? original.SourcePort : original.DestinationPort,
        DestinationPort = original.Protocol switch
        {
            IPProtocol.Icmp => 0,
            IPProtocol.IcmpV6 => EchoReplyV6,
            _ => original.SourcePort,
        },
    };

    /// <summary>Spreads neighbouring numbers over all of 32 bits (the finaliser of MurmurHash3).</summary>
    private static uint Scatter(uint number)
    {
        number = (number ^ number >> 16) * 0x85eb_ca6b;
        number = (number ^ number >> 13) * 0xc2b2_ae35;
        return number ^ number >> 16;
    }
}
