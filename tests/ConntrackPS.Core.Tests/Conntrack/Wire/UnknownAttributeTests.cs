using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Wire;

/// <summary>Unknown attributes of later or unusual kernels are skipped, and do not affect other values.</summary>
public sealed class UnknownAttributeTests
{
    public static TheoryData<string> Names => CapturedMessage.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public void Unknown_attributes_anywhere_are_skipped(string name)
    {
        CapturedMessage message = CapturedMessage.Get(name);
        List<AttributeTree> attributes = AttributeTree.Parse(message.Bytes);
        Assert.Equal(message.Bytes, AttributeTree.WriteMessage(message.Bytes, attributes));
        int places = InsertEverywhere(attributes, () =>
            Assert.Equal(message.Expected, EntryProperties.Of(message.DecodeLike(AttributeTree.WriteMessage(message.Bytes, attributes)))));
        Assert.True(places > 20);
    }

    [Theory]
    [InlineData(IPProtocol.Tcp, ProtoinfoAttribute.Tcp, 14)]
    [InlineData(IPProtocol.Sctp, ProtoinfoAttribute.Sctp, 11)]
    [InlineData(IPProtocol.Dccp, ProtoinfoAttribute.Dccp, 100)]
    internal void An_unknown_state_passes_through(IPProtocol protocol, ProtoinfoAttribute kind, byte number)
    {
        ConntrackEntry entry = Decode(Messages.Attribute(0x8004, Messages.Attribute((ushort)kind, Messages.Attribute(1, number))));
        Assert.Equal(ConntrackState.Unknown | (ConntrackState)number, entry.State);
        Assert.Equal(number, ConntrackStates.ToKernel(protocol, entry.State!.Value));
    }

    [Fact]
    public void An_unknown_protocol_passes_through_with_its_ports_if_it_has_any()
    {
        byte[] protocol = [.. Messages.Attribute(1, 254), .. Messages.Attribute(2, 1, 2), .. Messages.Attribute(3, 3, 4)];
        ConntrackEntry entry = Decode(Messages.Attribute(0x8001, Messages.Attribute(0x8002, protocol)));
        Assert.Equal((IPProtocol)254, entry.Protocol);
        Assert.Equal(((ushort)0x0102, (ushort)0x0304), (entry.SourcePort!.Value, entry.DestinationPort!.Value));
    }

    [Fact]
    public void Unknown_status_bits_pass_through() =>
        Assert.Equal(0x80000008u, (uint)Decode(Messages.Attribute(3, Messages.BigEndian(0x80000008))).Status);

    /// <summary>The test kernel sends none of these: no security module is active, and it does not track DCCP.</summary>
    [Fact]
    public void Attributes_of_other_kernels_are_understood()
    {
        ConntrackEntry entry = Decode(
            Messages.Attribute(17, Messages.BigEndian(99)),
            Messages.Attribute(0x8013, Messages.Attribute(1, [.. "system_u:object_r:unlabeled_t:s0\0"u8])),
            Messages.Attribute(0x8004, Messages.Attribute(0x8002, [.. Messages.Attribute(1, 4), .. Messages.Attribute(2, 1), .. Messages.Attribute(3, 0, 0, 1, 2, 3, 4, 5, 6)])));
        Assert.Equal(99u, entry.SecurityMark);
        Assert.Equal("system_u:object_r:unlabeled_t:s0", entry.SecurityContext);
        Assert.Equal(ConntrackState.Open, entry.State);
        Assert.Equal((byte)1, entry.DccpRole);
        Assert.Equal(0x010203040506UL, entry.DccpHandshakeSequence);
    }

    [Fact]
    public void An_entry_without_attributes_has_nothing_to_say()
    {
        IEnumerable<string> said = EntryProperties.Of(Decode()).Keys;
        Assert.Equal(
            [
                "AddressFamily", "Mark", "Protocol", "Status", "Zone",
            ],
            said);
    }

    private static ConntrackEntry Decode(params byte[][] attributes) =>
        CapturedMessage.Decode(Messages.Message(Messages.DataType, 1, MessageFlags.None, [2, 0, 0, 0, .. attributes.SelectMany(bytes => bytes)]));

    /// <summary>Inserts an unknown attribute at each position of each nest, and removes it again.</summary>
    /// <returns>The number of positions.</returns>
    private static int InsertEverywhere(List<AttributeTree> attributes, Action check)
    {
        int places = 0;
        for (int i = 0; i <= attributes.Count; i++)
        {
            foreach (bool isNest in (bool[])[false, true])
            {
                attributes.Insert(i, AttributeTree.Unknown(isNest));
                check();
                attributes.RemoveAt(i);
                places++;
            }

            if (i < attributes.Count && attributes[i].IsNest)
                places += InsertEverywhere(attributes[i].Children, check);
        }

        return places;
    }
}
