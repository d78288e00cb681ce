using ConntrackPS.Diagnosis;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Diagnosis;

public sealed class CounterReaderTests
{
    private const string Now = """
        entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart
        0000000a  00000001 00000002 00000000 00000003 00000000 00000000 00000004 00000005 00000006 00000007 00000008 00000009  0000000a 0000000b 0000000c 0000000d
        0000000a  000000ff 00000000 00000000 ffffffff 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000  00000000 00000000 00000000 00000000
        """;

    private const string Former = """
        entries  searched found new invalid ignore delete delete_list insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart
        00000005  00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008 00000009 0000000a 0000000b 0000000c  0000000d 0000000e 0000000f 00000010
        """;

    [Fact]
    public void Proc_lines_are_read_by_their_columns_names()
    {
        IReadOnlyList<CpuCounters> processors = ProcCounterReader.Parse(Now.Split('\n'));
        Assert.Equal([0, 1], processors.Select(processor => processor.Cpu));
        Assert.Equal(
            [2u, 3u, 5u, 6u, 7u, 8u, 9u, 13u, 1u, 4u, 10u, 11u, 12u],
            Enum.GetValues<Counter>().Select(counter => processors[0][counter]!.Value));
        Assert.Equal(uint.MaxValue, processors[1][Counter.Invalid]);
        Assert.Equal(255u, processors[1][Counter.ClashResolve]);
    }

    [Fact]
    public void Columns_of_an_older_kernel_are_not_mistaken_for_newer_ones()
    {
        CpuCounters processor = Assert.Single(ProcCounterReader.Parse(Former.Split('\n')));
        Assert.Null(processor[Counter.ClashResolve]);
        Assert.Null(processor[Counter.ChainTooLong]);
        Assert.Equal(2u, processor[Counter.Found]);
        Assert.Equal(10u, processor[Counter.Drop]);
        Assert.Equal(16u, processor[Counter.SearchRestart]);
    }

    [Fact]
    public void No_line_is_no_processor() => Assert.Empty(ProcCounterReader.Parse([]));

    [Fact]
    public void A_netlink_answer_is_about_the_processor_in_its_header()
    {
        byte[] message = Messages.Message(
            Messages.DataType, 1, MessageFlags.Multi,
            [0, 0, 0, 3, .. Messages.Attribute(2, Messages.BigEndian(11)), .. Messages.Attribute(10, Messages.BigEndian(uint.MaxValue)),
                .. Messages.Attribute(77, Messages.BigEndian(1))]);
        CpuCounters processor = NetlinkCounterReader.Decode(new NetlinkMessage(message));
        Assert.Equal(3, processor.Cpu);
        Assert.Equal(11u, processor[Counter.Found]);
        Assert.Equal(uint.MaxValue, processor[Counter.Drop]);
        Assert.Null(processor[Counter.EarlyDrop]);
    }

    [Fact]
    public void A_counter_that_is_cut_off_is_an_error() => Assert.Throws<NetlinkProtocolException>(() => NetlinkCounterReader.Decode(
        new NetlinkMessage(Messages.Message(Messages.DataType, 1, MessageFlags.Multi, [0, 0, 0, 0, .. Messages.Attribute(2, 1, 2)]))));
}
