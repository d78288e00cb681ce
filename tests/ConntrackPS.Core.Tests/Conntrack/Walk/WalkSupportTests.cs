using System.Runtime.InteropServices;
using ConntrackPS.Bpf;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Tests.Bpf;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Walk;

/// <summary>What a kernel or a process may lack: the walk says what, and Auto reads by netlink.</summary>
public sealed class WalkSupportTests : IDisposable
{
    private readonly NetworkNamespaceFixture _ns = new();
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public void Dispose()
    {
        _ns.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void A_kernel_without_its_types_is_named() =>
        Assert.Contains("CONFIG_DEBUG_INFO_BTF", Assert.Throws<WalkUnavailableException>(() => WalkSearch.ReadLayout("/nowhere/vmlinux", "/nowhere/module")).Message, StringComparison.Ordinal);

    [Fact]
    public void Types_that_are_no_BTF_are_named()
    {
        string file = Write("vmlinux", new byte[100]);
        Assert.Contains("not a BTF file", Assert.Throws<WalkUnavailableException>(() => WalkSearch.ReadLayout(file, "/nowhere")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nf_conn", "no nf_conn.")]
    [InlineData("status", "no nf_conn.status")]
    [InlineData("hnnode", "no nf_conntrack_tuple_hash.hnnode.next")]
    [InlineData("nsproxy", "no task_struct.nsproxy")]
    public void A_type_or_member_that_is_missing_is_named(string missing, string told)
    {
        string file = Write("vmlinux", FakeKernel.Types(without: missing).ToBytes());
        Assert.Contains(told, Assert.Throws<WalkUnavailableException>(() => WalkSearch.ReadLayout(file, "/nowhere")).Message, StringComparison.Ordinal);
    }

    /// <summary>Kernels before 6.2 have no casts and no RCU read lock for programs. A module's types can't be cast to on any kernel.</summary>
    [Fact]
    public void What_an_older_kernel_lacks_is_not_used()
    {
        WalkLayout whole = Layout(FakeKernel.Types()), old = Layout(FakeKernel.Types(without: "bpf_rdonly_cast")), unlocked = Layout(FakeKernel.Types(without: "bpf_rcu_read_lock"));
        Assert.True(whole is { HasCast: true, ReadLock: not null, Mark: not null, ZoneId: not null, Accounting: 3 });
        Assert.True(old is { HasCast: false, ReadLock: not null });
        Assert.True(unlocked is { HasCast: true, ReadLock: null });
        Assert.True(Layout(FakeKernel.Types(without: "mark")) is { Mark: null });
        Assert.True(Layout(FakeKernel.Types(without: "zone")) is { ZoneId: null, ZoneDirection: null });
        Assert.True(Layout(FakeKernel.Types(without: "NF_CT_EXT_ACCT")) is { Accounting: null });
    }

    [Fact]
    public void The_types_of_the_module_are_used_where_connection_tracking_is_one()
    {
        FakeBtf kernel = FakeKernel.Types(without: FakeKernel.Conntrack), module = FakeKernel.Types(kernel);
        WalkLayout layout = WalkSearch.ReadLayout(Write("vmlinux", kernel.ToBytes()), Write("nf_conntrack", module.ToBytes()));
        Assert.True(layout is { HasCast: false, EntrySize: > 0, Accounting: 3 });
    }

    [Fact]
    public void A_process_without_the_capability_is_told_which()
    {
        WalkUnavailableException refused = Assert.Throws<WalkUnavailableException>(() => Unprivileged.Run(_ns.Namespace, WalkSearch.OpenMemory));
        Assert.Contains("CAP_BPF and CAP_PERFMON", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_small_table_is_read_by_netlink_without_a_word()
    {
        TableFiller.Fill(_ns, 10);
        ConntrackTable table = new(_ns.Namespace) { Engine = TableEngine.Auto };
        Assert.Equal(10, Count(table));
        Assert.Equal(5, table.Read(new ConntrackFilter { SourceAddress = [AddressPrefix.Parse("10.0.0.0/16")] }).Count());
        Assert.Null(table.EngineNote);
    }

    [WalkFact]
    public void What_only_netlink_has_is_an_error_of_Bpf_and_netlink_for_Auto()
    {
        TableFiller.Fill(_ns, 10);
        WalkUnavailableException refused = Assert.Throws<WalkUnavailableException>(() => Count(new ConntrackTable(_ns.Namespace) { Engine = TableEngine.Bpf }, "SecurityContext"));
        Assert.Contains("only netlink", refused.Message, StringComparison.Ordinal);
        ConntrackTable table = new(_ns.Namespace, KernelFeatures.All, new ScanTerms { ReadCount = _ => 1_000_000 }) { Engine = TableEngine.Auto };
        Assert.Equal(10, Count(table, "SecurityContext"));
        Assert.Contains("only netlink", table.EngineNote, StringComparison.Ordinal);
    }

    [WalkFact]
    public void A_large_table_is_walked_by_Auto()
    {
        TableFiller.Fill(_ns, 500);
        ConntrackTable table = new(_ns.Namespace, KernelFeatures.All, new ScanTerms { ReadCount = _ => 1_000_000 }) { Engine = TableEngine.Auto };
        Assert.Equal((500, "The table is walked in the kernel."), (Count(table), table.EngineNote));
        Assert.Equal(250, table.Read(new ConntrackFilter { SourceAddress = [AddressPrefix.Parse("10.0.0.0/16")] }).Count());
        Assert.Equal("A walk in the kernel found 250 entries, which netlink fetches.", table.EngineNote);

        // A source alone is a filter of the kernel's dump.
        Assert.Equal(250, table.Read(new ConntrackFilter { SourceAddress = [AddressPrefix.Parse("10.0.0.1")] }).Count());
        Assert.Equal("A walk in the kernel found 250 entries, which netlink fetches.", table.EngineNote);
    }

    [WalkFact]
    public void Too_many_candidates_are_dumped()
    {
        TableFiller.Fill(_ns, 200);
        ConntrackTable table = new(_ns.Namespace, KernelFeatures.All, new ScanTerms { ReadCount = _ => 100_000 }) { Engine = TableEngine.Auto };
        ConntrackFilter filter = new() { DestinationPort = [new PortRange(79, 81)] };
        Assert.Equal(200, table.Read(filter).Count());
        table = new(_ns.Namespace, KernelFeatures.All, new ScanTerms { ReadCount = new Few().Read }) { Engine = TableEngine.Auto };
        Assert.Equal(200, table.Read(filter).Count());
        Assert.Contains("more than a quarter", table.EngineNote, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(4295147010UL, 1019169302696UL, 250)]
    [InlineData(4294937296UL + 360_000_000UL, 3_600_000_000_000_000UL, 100)]
    [InlineData(4294667296UL + 1_000UL * 86_400 * 365, 86_400_000_000_000UL * 365, 1000)]
    public void The_timers_frequency_follows_from_the_time_since_the_start(ulong ticks, ulong nanoseconds, int expected) =>
        Assert.Equal((uint)expected, WalkSearch.FrequencyOf(ticks, nanoseconds));

    [Fact]
    public void A_frequency_that_no_kernel_has_is_unknown() => Assert.Null(WalkSearch.FrequencyOf(5_000_000_000, 1_000_000_000_000));

    /// <summary>The test vector of the paper on SipHash (appendix A), for a message of whole words: 00 01 ... 07.</summary>
    [Fact]
    public void The_hash_of_ids_is_SipHash()
    {
        EntryIds ids = new(0x0706050403020100, 0x0f0e0d0c0b0a0908);
        Assert.Equal(0x93f5f5799a932462, ids.SipHash([0x0706050403020100]));
    }

    [Fact]
    public void Addresses_in_the_code_of_x86_are_found_absolute_and_relative()
    {
        const ulong Start = 0xffffffff81f38700;

        // mov 0xffffffff8326a688(%rip-relative),%rax; mov -0x7cd95978(,%rdx,8),%rcx; addl $1,(%rip) twice.
        byte[] code =
        [
            0x48, 0x8b, 0x05, .. Relative(Start + 7, 0xffffffff8326a688),
            0x48, 0x8b, 0x0c, 0xd5, 0x88, 0xa6, 0x26, 0x83,
            0x83, 0x05, .. Relative(Start + 22, 0xffffffff8326a66c), 1,
            0x83, 0x05, .. Relative(Start + 29, 0xffffffff8326a66c), 1,
            0x83, 0x05, .. Relative(Start + 36, 0xffffffff8326a700), 1,
        ];
        Assert.Equal(2, CodeAddresses.In(code, Start, Architecture.X64).Count(address => address == 0xffffffff8326a688));
        Assert.Equal([0xffffffff8326a66c], CodeAddresses.IncrementedTwice(code, Start));
    }

    [Fact]
    public void Addresses_in_the_code_of_arm64_are_found_by_page_and_offset()
    {
        // adrp x0, . + 0x1234000; nop; ldr x1, [x0, #0x688]; adrp x2, . - 0x2000; add x2, x2, #0x10.
        byte[] code = [.. MemoryMarshal.AsBytes<uint>([Adrp(0, 0x1234), 0xd503201f, 0xf9400000 | 0x688 / 8 << 10 | 0 << 5 | 1, Adrp(2, -2), 0x91000000 | 0x10 << 10 | 2 << 5 | 2])];
        Assert.Equal([0xffff800012345000 + 0x1234000 + 0x688, 0xffff800012345000 - 0x2000 + 0x10], CodeAddresses.In(code, 0xffff800012345678, Architecture.Arm64));

        static uint Adrp(uint register, int pages) => 0x90000000 | ((uint)pages & 3) << 29 | ((uint)(pages >> 2) & 0x7ffff) << 5 | register;
    }

    private static byte[] Relative(ulong next, ulong target) => BitConverter.GetBytes((int)(target - next));

    private static WalkLayout Layout(FakeBtf types) => new(new BtfFile(types.ToBytes(), WalkLayout.Wanted));

    private static long Count(ConntrackTable table, string property = "SourceAddress")
    {
        GroupMeasurement measurement = new(new GroupOptions { GroupBy = [GroupProperties.Named(property)] });
        measurement.Read(table);
        return measurement.Count;
    }

    private string Write(string name, byte[] bytes)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    /// <summary>The count is large when it decides about the engine, and small afterwards.</summary>
    private sealed class Few
    {
        private int _asked;

        public uint? Read(ConntrackPS.Netlink.NetlinkConnection connection) => _asked++ == 0 ? 100_000u : 400u;
    }
}

/// <summary>The types of a kernel, as far as a walk looks at them.</summary>
internal static class FakeKernel
{
    /// <summary>All that a module brings.</summary>
    public const string Conntrack = "conntrack";

    /// <param name="kernel">The kernel whose module this is; null for a kernel.</param>
    /// <param name="without">A name that is left out.</param>
    public static FakeBtf Types(FakeBtf? kernel = null, string without = "")
    {
        FakeBtf fake = new(kernel);
        uint u8 = fake.Int("u8", 1), u16 = fake.Int("u16", 2), u32 = fake.Int("u32", 4), u64 = fake.Int("u64", 8), pointer = fake.Pointer(0);
        string Name(string name) => name == without ? "other" : name;
        if (kernel is null)
        {
            fake.Struct(Name("timespec64"), 16, ("tv_sec", u64, 0), ("tv_nsec", u64, 64));
            fake.Struct("task_struct", 4096, (Name("nsproxy"), pointer, 8000));
            fake.Struct("nsproxy", 64, ("net_ns", pointer, 320));
            foreach (string function in (string[])["bpf_rdonly_cast", "bpf_rcu_read_lock", "bpf_rcu_read_unlock"])
                fake.Function(Name(function));
            if (without == Conntrack)
                return fake;
        }

        uint address = fake.Array(u32, 4);
        uint source = fake.Struct("", 20, ("u3", address, 0), ("u", u16, 128), ("l3num", u16, 144));
        uint destination = fake.Struct("", 20, ("u3", address, 0), ("u", u16, 128), ("protonum", u8, 144), ("dir", u8, 152));
        uint tuple = fake.Struct("nf_conntrack_tuple", 40, ("src", source, 0), ("dst", destination, 160));
        uint next = fake.Struct("hlist_nulls_node", 16, ("next", pointer, 0));
        uint node = fake.Struct("nf_conntrack_tuple_hash", 56, (Name("hnnode"), next, 0), ("tuple", tuple, 128));
        uint zone = fake.Struct("nf_conntrack_zone", 4, ("id", u16, 0), ("dir", u8, 24));
        uint net = fake.Struct("possible_net_t", 8, ("net", pointer, 0));
        uint tcp = fake.Struct("ip_ct_tcp", 56, ("state", u8, 320)), sctp = fake.Struct("ip_ct_sctp", 20, ("state", u32, 0));
        uint proto = fake.Struct("nf_conntrack_proto", 56, ("tcp", tcp, 0), ("sctp", sctp, 0));
        fake.Struct(
            Name("nf_conn"), 248,
            ("timeout", u32, 64), (Name("zone"), zone, 96), ("tuplehash", fake.Array(node, 2), 128), (Name("status"), u64, 1024), ("ct_net", net, 1088),
            ("master", pointer, 1280), (Name("mark"), u32, 1344), ("ext", pointer, 1408), ("proto", proto, 1472));
        fake.Struct("nf_ct_ext", 16, ("offset", fake.Array(u8, 9), 0));
        fake.Enum("nf_ct_ext_id", ("NF_CT_EXT_HELPER", 0), (Name("NF_CT_EXT_ACCT"), 3), ("NF_CT_EXT_TSTAMP", 5), ("NF_CT_EXT_LABELS", 7));
        fake.Struct("nf_conn_counter", 16, ("packets", u64, 0), ("bytes", u64, 64));
        fake.Struct("nf_conn_tstamp", 16, ("start", u64, 0), ("stop", u64, 64));
        fake.Struct("nf_conn_help", 48, ("helper", pointer, 0));
        fake.Struct("nf_conntrack_helper", 200, ("name", fake.Array(u8, 16), 128));
        return fake;
    }
}
