using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Wire;

/// <summary>Checks each byte of CTA_NAT_SRC (6) and CTA_NAT_DST (13).</summary>
public sealed class NatEncodingTests
{
    private const ushort NatSource = 0x8006;
    private const ushort NatDestination = 0x800d;

    [Fact]
    public void A_source_is_an_address_range_of_one_and_a_port_range_of_one() => AssertNat(
        Entries.Any().WithSourceNat("203.0.113.5", 0x1234),
        Messages.Attribute(NatSource, [.. V4(203, 0, 113, 5), .. Port(0x12, 0x34)]));

    [Fact]
    public void A_destination_too() => AssertNat(
        Entries.Any().WithDestinationNat("203.0.113.5", 0x1234),
        Messages.Attribute(NatDestination, [.. V4(203, 0, 113, 5), .. Port(0x12, 0x34)]));

    [Fact]
    public void Both_stand_side_by_side() => AssertNat(
        Entries.Any().WithSourceNat("203.0.113.5", 0x1234).WithDestinationNat("203.0.113.6", 0x5678),
        Messages.Attribute(NatSource, [.. V4(203, 0, 113, 5), .. Port(0x12, 0x34)]),
        Messages.Attribute(NatDestination, [.. V4(203, 0, 113, 6), .. Port(0x56, 0x78)]));

    [Fact]
    public void IPv6_has_attributes_of_its_own()
    {
        byte[] address = [0x20, 0x01, 0x0d, 0xb8, .. new byte[11], 9];
        AssertNat(
            Entries.Udp("2001:db8::1", 1, "2001:db8::2", 2).WithSourceNat("2001:db8::9", 0x1234),
            Messages.Attribute(NatSource, [.. Messages.Attribute(4, address), .. Messages.Attribute(5, address), .. Port(0x12, 0x34)]));
    }

    /// <summary>An ICMP id belongs to the source, in both directions. A destination has none.</summary>
    [Fact]
    public void ICMP_s_id_takes_the_source_port_s_place() => AssertNat(
        Entries.Icmp("192.0.2.1", "198.51.100.7", 8, 0, 77).WithSourceNat("203.0.113.5", 0x1234).WithDestinationNat("203.0.113.6"),
        Messages.Attribute(NatSource, [.. V4(203, 0, 113, 5), .. Port(0x12, 0x34)]),
        Messages.Attribute(NatDestination, V4(203, 0, 113, 6)));

    [Fact]
    public void A_protocol_without_ports_has_addresses_alone() => AssertNat(
        Entries.Generic(IPProtocol.Esp, "192.0.2.1", "198.51.100.7").WithSourceNat("203.0.113.5"),
        Messages.Attribute(NatSource, V4(203, 0, 113, 5)));

    [Fact]
    public void Without_the_status_bits_there_is_no_translation_but_the_reply_as_it_is()
    {
        ConntrackEntry entry = Entries.Any().WithSourceNat("203.0.113.5", 0x1234);
        entry.Status &= ~ConntrackStatus.SrcNat;
        AssertNat(entry);
        byte[] buffer = new byte[NetlinkBatch.MaximumMessageSize];
        Assert.Equal(entry.Reply, CapturedMessage.Decode(buffer[..EntryEncoder.Create(buffer, entry, MessageFlags.Create)]).Reply);
    }

    private static void AssertNat(ConntrackEntry entry, params byte[][] expected)
    {
        byte[] buffer = new byte[NetlinkBatch.MaximumMessageSize];
        byte[] message = buffer[..EntryEncoder.Create(buffer, entry, MessageFlags.Create)];
        List<byte[]> found = [];
        for (int offset = 20; offset < message.Length;)
        {
            int end = offset + ((BitConverter.ToUInt16(message, offset) + 3) & ~3);
            if (BitConverter.ToUInt16(message, offset + 2) is NatSource or NatDestination)
                found.Add(message[offset..end]);
            offset = end;
        }

        Assert.Equal(expected, found);
    }

    /// <summary>CTA_NAT_V4_MINIP and CTA_NAT_V4_MAXIP.</summary>
    private static byte[] V4(params byte[] address) => [.. Messages.Attribute(1, address), .. Messages.Attribute(2, address)];

    /// <summary>CTA_NAT_PROTO with CTA_PROTONAT_PORT_MIN and CTA_PROTONAT_PORT_MAX.</summary>
    private static byte[] Port(params byte[] port) =>
        Messages.Attribute(0x8003, [.. Messages.Attribute(1, port), .. Messages.Attribute(2, port)]);
}
