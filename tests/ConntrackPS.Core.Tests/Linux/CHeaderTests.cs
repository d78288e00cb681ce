using System.Runtime.InteropServices;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Linux;

/// <summary>Every number that the library shares with the kernel, against the C headers of this machine.</summary>
public sealed class CHeaderTests
{
    [Fact]
    public void Every_constant_has_the_headers_value() => Check(CNames.OfEveryConstant());

    [Fact]
    public void Every_state_number_is_the_kernels() => Check(CNames.OfEveryState());

    [Fact]
    public void A_socket_address_is_laid_out_as_in_C() => CheckLayout<SocketAddressNetlink>(
        "struct sockaddr_nl", ("Family", "nl_family"), ("Padding", "nl_pad"), ("PortId", "nl_pid"), ("Groups", "nl_groups"));

    [Fact]
    public void A_poll_descriptor_is_laid_out_as_in_C() => CheckLayout<PollDescriptor>(
        "struct pollfd", ("Descriptor", "fd"), ("Events", "events"), ("Returned", "revents"));

    /// <summary>The library reads and writes these at fixed offsets.</summary>
    [Fact]
    public void Headers_on_the_wire_have_the_sizes_and_offsets_that_the_code_assumes() => Check(
    [
        ("sizeof(struct nlmsghdr)", Wire.HeaderSize),
        ("offsetof(struct nlmsghdr, nlmsg_len)", 0),
        ("offsetof(struct nlmsghdr, nlmsg_type)", 4),
        ("offsetof(struct nlmsghdr, nlmsg_flags)", 6),
        ("offsetof(struct nlmsghdr, nlmsg_seq)", 8),
        ("offsetof(struct nlmsghdr, nlmsg_pid)", 12),
        ("sizeof(struct nfgenmsg)", Wire.NetfilterHeaderSize),
        ("offsetof(struct nfgenmsg, nfgen_family)", 0),
        ("offsetof(struct nfgenmsg, version)", 1),
        ("offsetof(struct nfgenmsg, res_id)", 2),
        ("sizeof(struct nlattr)", Wire.AttributeHeaderSize),
        ("offsetof(struct nlattr, nla_len)", 0),
        ("offsetof(struct nlattr, nla_type)", 2),
        ("offsetof(struct nlmsgerr, msg)", sizeof(int)),
        ("sizeof(struct nf_ct_tcp_flags)", 2),
        ("NLMSG_ALIGN(13)", Wire.Align(13)),
        ("NLA_ALIGN(16)", Wire.Align(16)),
    ]);

    private static void CheckLayout<T>(string name, params (string Field, string Member)[] fields)
        where T : struct
    {
        Assert.Equal(typeof(T).GetFields().Length, fields.Length);
        Check(
        [
            ($"sizeof({name})", Marshal.SizeOf<T>()),
            .. fields.Select(pair => ($"offsetof({name}, {pair.Member})", (long)Marshal.OffsetOf<T>(pair.Field))),
            .. fields.Select(pair => ($"sizeof((({name} *)0)->{pair.Member})", (long)Marshal.SizeOf(typeof(T).GetField(pair.Field)!.FieldType))),
        ]);
    }

    private static void Check(IReadOnlyList<(string Expression, long Value)> ours)
    {
        long[] theirs = CProgram.Evaluate(ours.Select(pair => pair.Expression));
        Assert.Equal(ours.Count, theirs.Length);
        IEnumerable<string> differences = ours.Zip(theirs)
            .Where(pair => pair.First.Value != pair.Second)
            .Select(pair => $"{pair.First.Expression} is {pair.Second} in C and {pair.First.Value} here");
        Assert.Equal("", string.Join('\n', differences));
    }
}
