using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Nftables;
using ConntrackPS.Rules.Tracking;
using ConntrackPS.Tests.Infrastructure;
using LibC = ConntrackPS.Linux.LibC;

namespace ConntrackPS.Tests.Linux;

/// <summary>The structs and functions shared with C, as C expressions with our values.</summary>
internal static class CLayouts
{
    /// <summary>Sizes, offsets and member sizes of the structs that are passed to libc.</summary>
    public static IReadOnlyList<(string Expression, long Value)> OfEveryStruct() =>
    [
        .. OfStruct<SocketAddressNetlink>(
            "struct sockaddr_nl", ("Family", "nl_family"), ("Padding", "nl_pad"), ("PortId", "nl_pid"), ("Groups", "nl_groups")),
        .. OfStruct<SocketFilter>(
            "struct sock_filter", ("Code", "code"), ("JumpTrue", "jt"), ("JumpFalse", "jf"), ("Operand", "k")),
        .. OfStruct<SocketFilterProgram>("struct sock_fprog", ("Length", "len"), ("Filter", "filter")),
    ];

    /// <summary>The library reads and writes these at fixed offsets.</summary>
    public static IReadOnlyList<(string Expression, long Value)> OfTheWire() =>
    [
        ("sizeof(struct nlmsghdr)", NetlinkProtocol.HeaderSize),
        ("offsetof(struct nlmsghdr, nlmsg_len)", 0),
        ("offsetof(struct nlmsghdr, nlmsg_type)", 4),
        ("offsetof(struct nlmsghdr, nlmsg_flags)", 6),
        ("offsetof(struct nlmsghdr, nlmsg_seq)", 8),
        ("offsetof(struct nlmsghdr, nlmsg_pid)", 12),
        ("sizeof(struct nfgenmsg)", NetlinkProtocol.NetfilterHeaderSize),
        ("offsetof(struct nfgenmsg, nfgen_family)", 0),
        ("offsetof(struct nfgenmsg, version)", 1),
        ("offsetof(struct nfgenmsg, res_id)", 2),
        ("sizeof(struct nlattr)", NetlinkProtocol.AttributeHeaderSize),
        ("offsetof(struct nlattr, nla_len)", 0),
        ("offsetof(struct nlattr, nla_type)", 2),
        ("offsetof(struct nlmsgerr, msg)", sizeof(int)),
        ("sizeof(struct nf_ct_tcp_flags)", 2),
        ("IPT_SO_GET_INFO", XTable.GetInfo),
        ("IP6T_SO_GET_INFO", XTable.GetInfo),
        ("IPT_SO_GET_ENTRIES", XTable.GetEntries),
        ("IP6T_SO_GET_ENTRIES", XTable.GetEntries),
        ("sizeof(struct ipt_getinfo)", XTable.InfoLength),
        ("sizeof(struct ip6t_getinfo)", XTable.InfoLength),
        ("offsetof(struct ipt_getinfo, size)", XTable.InfoLength - sizeof(uint)),
        ("offsetof(struct ipt_get_entries, entrytable)", XTable.EntriesOffset),
        ("offsetof(struct ip6t_get_entries, entrytable)", XTable.EntriesOffset),
        ("offsetof(struct ipt_entry, target_offset)", XTableRule.OffsetsIPv4),
        ("offsetof(struct ip6t_entry, target_offset)", XTableRule.OffsetsIPv6),
        ("sizeof(struct ipt_entry)", XTableRule.LengthIPv4),
        ("offsetof(struct ipt_ip, proto)", 80),
        ("offsetof(struct ip6t_ip6, proto)", 128),
        ("offsetof(struct ip6t_ip6, flags)", 131),
        ("sizeof(struct xt_tcp)", XtLayout.TcpLength),
        ("offsetof(struct xt_tcp, invflags)", XtLayout.TcpInvert),
        ("sizeof(struct xt_udp)", XtLayout.UdpLength),
        ("offsetof(struct xt_udp, invflags)", XtLayout.UdpInvert),
        ("sizeof(struct xt_multiport_v1)", XtLayout.MultiportLength),
        ("offsetof(struct xt_multiport_v1, invert)", XtLayout.MultiportInvert),
        ("XT_MULTI_PORTS", XtLayout.MultiportCount),
        ("sizeof(struct xt_iprange_mtinfo)", XtLayout.IprangeLength),
        ("offsetof(struct xt_iprange_mtinfo, flags)", XtLayout.IprangeFlags),
        ("offsetof(struct xt_conntrack_mtinfo1, match_flags)", XtLayout.ConntrackFlags),
        ("offsetof(struct xt_conntrack_mtinfo3, match_flags)", XtLayout.ConntrackFlags),
        ("offsetof(struct xt_conntrack_mtinfo3, invert_flags)", XtLayout.ConntrackInvert),
        ("offsetof(struct xt_conntrack_mtinfo1, state_mask)", XtLayout.ConntrackStateMask),
        ("offsetof(struct xt_conntrack_mtinfo3, state_mask)", XtLayout.ConntrackStateMask),
        ("sizeof(struct nf_nat_range)", XtLayout.NatLength),
        ("sizeof(struct nf_nat_ipv4_multi_range_compat)", XtLayout.OldNatLength),
        ("sizeof(struct ip6t_entry)", XTableRule.LengthIPv6),
        ("sizeof(struct xt_entry_target)", XExtension.HeaderLength),
        ("sizeof(struct xt_entry_match)", XExtension.HeaderLength),
        ("offsetof(struct xt_ct_target_info, helper)", CtTarget.HelperOffset),
        ("offsetof(struct xt_ct_target_info_v1, helper)", CtTarget.HelperOffset),
        ("sizeof(((struct xt_ct_target_info *)0)->helper)", CtTarget.HelperLength),
        ("NLMSG_ALIGN(13)", NetlinkProtocol.Align(13)),
        ("NLA_ALIGN(16)", NetlinkProtocol.Align(16)),
    ];

    /// <summary>Sizes and offsets of Tmds.LibC's types that the library uses.</summary>
    /// <param name="tmds">The package's assembly for a processor.</param>
    public static IReadOnlyList<(string Expression, long Value)> OfProcessor(Assembly tmds)
    {
        return
        [
            .. ((string[])["ssize_t", "size_t", "socklen_t", "mode_t"]).Select(name => ($"sizeof({name})", Size(name))),
            .. ((string[])["pollfd", "epoll_event", "statx"]).Select(name => ($"sizeof(struct {name})", Size(name))),
            ("offsetof(struct epoll_event, data)", Offset("epoll_event", "data")),
            .. ((string[])["stx_uid", "stx_gid", "stx_mode", "stx_ino", "stx_size", "stx_rdev_major", "stx_rdev_minor", "stx_dev_major", "stx_dev_minor"])
                .Select(field => ($"offsetof(struct statx, {field})", Offset("statx", field))),
            .. ((string[])["tv_sec", "tv_nsec"])
                .Select(field => ($"offsetof(struct statx, stx_mtime.{field})", Offset("statx", "stx_mtime") + Offset("statx_timestamp", field))),
        ];

        Type Find(string name) => tmds.GetType("Tmds.Linux." + name, throwOnError: true)!;
        long Size(string name) => Marshal.SizeOf(Find(name));
        long Offset(string name, string field) => Marshal.OffsetOf(Find(name), field);
    }

    /// <summary>The program is linked with the library, so that a missing function fails the compilation.</summary>
    public static IReadOnlyList<(string Expression, long Value)> OfEveryFunction() =>
    [
        .. typeof(LibC).GetMethods(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static)
            .Select(method => method.GetCustomAttribute<LibraryImportAttribute>()?.EntryPoint)
            .OfType<string>()
            .Concat(OfTmds())
            .Select(name => ($"({{ void *volatile address = (void *){name}; address != NULL; }})", 1L)),

        // The types that we declare as nuint and int.
        ("sizeof(nfds_t)", nuint.Size),
        ("sizeof(int)", sizeof(int)),
    ];

    /// <summary>The functions of Tmds.LibC that the library calls.</summary>
    private static IEnumerable<string> OfTmds()
    {
        string source = Repository.Sources("src/ConntrackPS.Core").Single(text => text.Contains("partial class LibC", StringComparison.Ordinal));
        return typeof(Tmds.Linux.LibC).GetMethods(BindingFlags.Public | BindingFlags.Static)
            .Select(method => method.Name)
            .Distinct()
            .Where(name => Regex.IsMatch(source, $@"(?<!\w|\.|"")({name})\("));
    }

    private static IEnumerable<(string Expression, long Value)> OfStruct<T>(string name, params (string Field, string Member)[] fields)
        where T : struct
    {
        Assert.Equal(typeof(T).GetFields().Length, fields.Length);
        return
        [
            ($"sizeof({name})", Marshal.SizeOf<T>()),
            .. fields.Select(pair => ($"offsetof({name}, {pair.Member})", (long)Marshal.OffsetOf<T>(pair.Field))),
            .. fields.Select(pair => ($"sizeof((({name} *)0)->{pair.Member})", SizeOf(typeof(T).GetField(pair.Field)!.FieldType))),
        ];
    }

    private static long SizeOf(Type type) => type.IsPointer ? nint.Size : Marshal.SizeOf(type);
}
