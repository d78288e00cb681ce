using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Linux;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Diagnosis.Health;

/// <summary>The values read from the machine, and the sums over the table.</summary>
public sealed class FiguresTests
{
    [Fact]
    public void A_log_record_is_its_time_and_its_first_line()
    {
        KernelLogRecord record = KernelLog.Parse("4,3941,3063350478,-;nf_conntrack: table full, dropping packet\n SUBSYSTEM=net\n")!.Value;
        Assert.Equal(TimeSpan.FromMicroseconds(3063350478), record.SinceBoot);
        Assert.Equal("nf_conntrack: table full, dropping packet", record.Text);
    }

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("4,1;text")]
    [InlineData("4,1,x,-;text")]
    public void What_is_no_log_record_is_skipped(string text) => Assert.Null(KernelLog.Parse(text));

    [Fact]
    public void The_machine_s_log_is_read_to_its_end_without_waiting()
    {
        IReadOnlyList<KernelLogRecord>? records = KernelLog.Read("");
        Assert.NotNull(records);
        Assert.All(records, record => Assert.True(record.SinceBoot <= KernelLog.Now));
        Assert.All(KernelLog.Read("nf_conntrack")!, record => Assert.StartsWith("nf_conntrack", record.Text, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("1", 100, true, 2, 30, 1)]
    [InlineData("4026532000", 100, false, 1, 10, 0)]
    [InlineData("4026532000", 11, false, 1, 10, 0)]
    [InlineData("4026532000", 9, false, 0, 0, 0)]
    [InlineData("402653200", 100, false, 0, 0, 0)]
    public void Lines_count_for_the_namespace_that_they_name(string inode, int namespaceAge, bool isInitial, int lines, int age, int expectations)
    {
        LogSummary summary = LogSummary.Of(
            [
                Line(50, "nf_conntrack: nf_conntrack: table full, dropping packet"),
                Line(70, "nf_conntrack: table full, dropping packet"),
                Line(90, "nf_conntrack: nf_conntrack: table full in netns 4026532000, dropping packet"),
                Line(95, "nf_conntrack: nf_conntrack: expectation table full"),
                Line(99, "nf_conntrack: default automatic helper assignment has been turned off"),
            ],
            inode, TimeSpan.FromSeconds(namespaceAge), isInitial, TimeSpan.FromSeconds(100));
        Assert.Equal((lines, TimeSpan.FromSeconds(age), expectations), (summary.TableFull, summary.TableFullAge, summary.ExpectationTableFull));

        static KernelLogRecord Line(int second, string text) => new(TimeSpan.FromSeconds(second), text);
    }

    [Fact]
    public void An_entry_s_size_includes_what_the_pages_waste()
    {
        string[] lines =
        [
            "slabinfo - version: 2.1",
            "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor>",
            "nf_conntrack_expect      0      0    208   19    1 : tunables    0    0    0 : slabdata      0      0      0",
            "nf_conntrack      385184 385184    320   25    2 : tunables    0    0    0 : slabdata  24074  24074      0",
        ];
        Assert.Equal(2 * 4096 / 25, MachineMemory.ParseEntry(lines, 4096));
        Assert.Null(MachineMemory.ParseEntry(lines[..3], 4096));
    }

    [Fact]
    public void This_machine_s_memory_and_slab_are_read()
    {
        Assert.InRange(MachineMemory.TotalBytes()!.Value, 64L << 20, 1L << 50);
        Assert.InRange(MachineMemory.EntryBytes()!.Value, 128, 1024);
    }

    [Fact]
    public void Packets_of_both_families_are_summed()
    {
        Assert.Equal(
            142,
            PacketCount.Parse(["Ip: Forwarding DefaultTTL InReceives InHdrErrors", "Ip: 2 64 100 0", "Icmp: a", "Icmp: 1"], ["Ip6InReceives                   \t42"]));
        Assert.Equal(100, PacketCount.Parse(["Ip: Forwarding DefaultTTL InReceives", "Ip: 2 64 100"], []));
        Assert.Null(PacketCount.Parse(["Udp: x", "Udp: 1"], []));
    }

    [Fact]
    public void The_top_sources_come_in_order()
    {
        SourceCounter counter = new();
        for (uint source = 0; source < 100; source++)
            counter.Add(IPFamily.IPv4, new AddressBits(0, source), (int)(source * 7 % 100) + 1);
        counter.Add(IPFamily.IPv6, new AddressBits(0, 3), 1000);
        Assert.Equal([1000, 100, 99, 98], counter.Top(4).Select(source => source.Count));
        Assert.Equal("::3", counter.Top(1)[0].Text);
        Assert.Equal(101, counter.Top(500).Count);
    }

    [Fact]
    public void Entries_are_sorted_into_their_kinds()
    {
        TableSummary table = new(432000, 300);
        table.Add(Tcp(ConntrackState.SynSent));
        table.Add(Tcp(ConntrackState.SynRecv, ConntrackStatus.SeenReply));
        table.Add(Tcp(ConntrackState.Established, ConntrackStatus.SeenReply | ConntrackStatus.Assured, timeout: 432000 - 7440));
        table.Add(Tcp(ConntrackState.Established, ConntrackStatus.SeenReply | ConntrackStatus.Assured, timeout: 432000 - 7441));

        // Not idle for days: data is unacknowledged.
        table.Add(Tcp(ConntrackState.Established, ConntrackStatus.SeenReply | ConntrackStatus.Assured, timeout: 300));
        table.Add(Entries.Udp("192.0.2.9", 1, "198.51.100.7", 53));
        ConntrackEntry ftp = Tcp(ConntrackState.Established, ConntrackStatus.SeenReply, timeout: 432000);
        ftp.MakeDetails().Helper = "ftp";
        table.Add(ftp);
        Assert.Equal((7, 2, 1, 4, 1), (table.Count, table.HalfOpen, table.Unreplied, table.Established, table.IdleEstablished));
        Assert.Equal(1, table.Helpers["ftp"]);
        Assert.Equal("192.0.2.1", table.Sources.Top(1)[0].Text);
        Assert.Equal(6, table.Sources.Top(1)[0].Count);
    }

    [Theory]
    [InlineData(1, "1 seconds ago")]
    [InlineData(119, "119 seconds ago")]
    [InlineData(7199, "119 minutes ago")]
    [InlineData(172799, "47 hours ago")]
    [InlineData(864000, "10 days ago")]
    public void An_age_is_told_by_its_largest_unit(int seconds, string text) => Assert.Equal(text, Figures.Age(TimeSpan.FromSeconds(seconds)));

    private static ConntrackEntry Tcp(ConntrackState state, ConntrackStatus status = ConntrackStatus.None, uint timeout = 60)
    {
        ConntrackEntry entry = Entries.Tcp("192.0.2.1", 1, "198.51.100.7", 80).WithState(state);
        entry.Status = status;
        entry.Data.Timeout = timeout;
        return entry;
    }
}
