using ConntrackPS.Conntrack;
using ConntrackPS.Expectations;
using ConntrackPS.Expectations.Wire;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Expectations;

/// <summary>Checks each byte of requests: a deletion without its tuple would delete everything.</summary>
public sealed class ExpectationRequestTests
{
    private const MessageFlags Acknowledged = MessageFlags.Request | MessageFlags.Ack;

    private static readonly byte[] Header = [2, 0, 0, 0];
    private static readonly byte[] Tuple = Attributes([198, 51, 100, 7], [192, 0, 2, 1], 0, 5000);
    private static readonly byte[] Mask = Attributes([255, 255, 255, 255], [255, 255, 255, 255], 0, 65535);
    private static readonly byte[] MasterTuple = Attributes([192, 0, 2, 1], [198, 51, 100, 7], 1000, 21);

    [Fact]
    public void One_is_deleted_by_tuple_zone_and_id()
    {
        byte[] buffer = new byte[NetlinkBatch.MaximumMessageSize];
        ConntrackExpectation data = ExpectationSamples.Data(ExpectationSamples.FtpMaster());
        byte[] expected =
        [
            .. Header, .. Messages.Attribute(0x8002, Tuple), .. Messages.Attribute(7, 0x12, 0x34), .. Messages.Attribute(5, 0xde, 0xad, 0xbe, 0xef),
        ];
        int length = ExpectationRequests.Delete(buffer, new ExpectationKey(data.Expected, 0x1234, 0xdeadbeef));
        Assert.Equal(Messages.Message(0x202, 0, MessageFlags.Request, expected), buffer[..length]);
    }

    [Fact]
    public void Emptying_has_no_attributes() =>
        Assert.Equal(Messages.Message(0x202, 0, Acknowledged, 0, 0, 0, 0), ExpectationRequests.Flush(new byte[64]).ToArray());

    [Fact]
    public void A_listing_names_the_family() => Assert.Equal(
        Messages.Message(0x201, 0, Acknowledged | MessageFlags.Dump, 10, 0, 0, 0),
        ExpectationRequests.Dump(new byte[64], IPFamily.IPv6).ToArray());

    [Fact]
    public void One_is_made_of_every_attribute_that_the_kernel_takes()
    {
        ExpectationTemplate all = new()
        {
            Class = 3,
            Flags = ExpectationFlags.Permanent | ExpectationFlags.Inactive,
            Function = "sip",
            Helper = "ftp",
            NatAddress = HostAddress.Parse("10.1.2.3"),
            NatPort = 777,
            NatDirection = TupleDirection.Reply,
            Zone = 5,
        };
        byte[] nat = [.. Messages.Attribute(1, 0, 0, 0, 1), .. Messages.Attribute(0x8002, Attributes([10, 1, 2, 3], [0, 0, 0, 0], 777, 0))];
        byte[] expected =
        [
            .. Header, .. Messages.Attribute(0x8002, Tuple), .. Messages.Attribute(7, 0, 5), .. Messages.Attribute(0x8003, Mask),
            .. Messages.Attribute(0x8001, MasterTuple), .. Messages.Attribute(6, [.. "ftp\0"u8]), .. Messages.Attribute(9, 0, 0, 0, 3),
            .. Messages.Attribute(8, 0, 0, 0, 3), .. Messages.Attribute(11, [.. "sip\0"u8]), .. Messages.Attribute(0x800a, nat),
        ];
        ConntrackExpectation data = ExpectationSamples.Data(ExpectationSamples.FtpMaster(), more: all);
        Assert.Equal(
            Messages.Message(0x200, 0, Acknowledged | MessageFlags.Create | MessageFlags.Exclusive, expected),
            ExpectationRequests.Create(new byte[512], data, data.Master).ToArray());
    }

    [Fact]
    public void A_change_of_the_timeout_does_not_create()
    {
        ConntrackExpectation data = ExpectationSamples.Data(
            ExpectationSamples.FtpMaster(), more: new ExpectationTemplate { TimeoutSeconds = 77 });
        byte[] expected =
        [
            .. Header, .. Messages.Attribute(0x8002, Tuple), .. Messages.Attribute(0x8003, Mask),
            .. Messages.Attribute(0x8001, MasterTuple), .. Messages.Attribute(4, 0, 0, 0, 77),
        ];
        Assert.Equal(Messages.Message(0x200, 0, Acknowledged, expected), ExpectationRequests.ChangeTimeout(new byte[512], data).ToArray());
    }

    private static byte[] Attributes(byte[] source, byte[] destination, ushort sourcePort, ushort destinationPort) =>
    [
        .. Messages.Attribute(0x8001, [.. Messages.Attribute(1, source), .. Messages.Attribute(2, destination)]),
        .. Messages.Attribute(
            0x8002,
            [
                .. Messages.Attribute(1, 6), .. Messages.Attribute(2, (byte)(sourcePort >> 8), (byte)sourcePort),
                .. Messages.Attribute(3, (byte)(destinationPort >> 8), (byte)destinationPort),
            ]),
    ];
}
