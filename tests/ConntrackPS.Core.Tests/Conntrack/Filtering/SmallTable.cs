using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Filtering;

/// <summary>Nine named entries of both families, to check which of them a filter matches.</summary>
internal static class SmallTable
{
    private static readonly Dictionary<string, ConntrackEntry> NamedEntries = new()
    {
        ["web"] = With(Entries.Tcp("192.0.2.1", 4000, "198.51.100.7", 80).WithState(ConntrackState.Established), ConntrackStatus.SeenReply | ConntrackStatus.Assured, mark: 0x100, id: 1),
        ["web6"] = With(Entries.Tcp("2001:db8::1", 4000, "2001:db8:7::7", 443).WithState(ConntrackState.SynSent), mark: 0x1ff, id: 2),
        ["snat"] = With(Entries.Udp("192.0.2.2", 5000, "198.51.100.7", 53).WithSourceNat("203.0.113.1", 6000), zone: 5, id: 3),
        ["dnat6"] = With(Entries.Udp("2001:db8::2", 5000, "2001:db8:7::7", 53).WithDestinationNat("2001:db8:8::8", 5353), ConntrackStatus.SeenReply, id: 4),
        ["ping"] = With(Entries.Icmp("192.0.2.1", "198.51.100.7", 8, 0, 4000), ConntrackStatus.SeenReply, id: 5),
        ["pingnat"] = With(Entries.Icmp("192.0.2.3", "198.51.100.7", 8, 0, 77).WithSourceNat("192.0.2.3", 78), id: 6),
        ["gre"] = With(Entries.Make(IPProtocol.Gre, "192.0.2.4", 80, "198.51.100.8", 80), ConntrackStatus.FixedTimeout, id: 7),
        ["esp6"] = With(Entries.Generic(IPProtocol.Esp, "2001:db8::3", "2001:db8:7::7").WithZone(TupleDirection.Original, 9), id: 8),
        ["sctp"] = With(Entries.Make(IPProtocol.Sctp, "192.0.2.5", 80, "198.51.100.9", 2905).WithState(ConntrackState.Established).WithZone(TupleDirection.Reply, 5), id: 9),
    };

    public static IEnumerable<string> Names => NamedEntries.Keys;

    public static void AssertMeant(ConntrackFilter filter, string expected) => Assert.Equal(
        expected.Split(' ', StringSplitOptions.RemoveEmptyEntries).Order(),
        NamedEntries.Where(pair => filter.Matches(pair.Value)).Select(pair => pair.Key).Order());

    private static ConntrackEntry With(ConntrackEntry entry, ConntrackStatus status = 0, uint mark = 0, ushort zone = 0, uint id = 0)
    {
        entry.Status |= status;
        (entry.Mark, entry.Zone, entry.Data.Id) = (mark, zone, id);
        entry.Fields |= EntryFields.Id;
        return entry;
    }
}
