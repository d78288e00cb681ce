using System.Reflection;
using System.Runtime.InteropServices;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Tests.Linux;

/// <summary>The structs and functions that we share with C, as C expressions and what they are here.</summary>
internal static class CLayouts
{
    /// <summary>Sizes, offsets and the sizes of members of the structs that are handed to libc.</summary>
    public static IReadOnlyList<(string Expression, long Value)> OfEveryStruct() =>
    [
        .. OfStruct<SocketAddressNetlink>(
            "struct sockaddr_nl", ("Family", "nl_family"), ("Padding", "nl_pad"), ("PortId", "nl_pid"), ("Groups", "nl_groups")),
        .. OfStruct<PollDescriptor>("struct pollfd", ("Descriptor", "fd"), ("Events", "events"), ("Returned", "revents")),
        .. OfStruct<SocketFilter>(
            "struct sock_filter", ("Code", "code"), ("JumpTrue", "jt"), ("JumpFalse", "jf"), ("Operand", "k")),
        .. OfStruct<SocketFilterProgram>("struct sock_fprog", ("Length", "len"), ("Filter", "filter")),

        // Packed on some processors, and so read and written at offsets.
        ("sizeof(struct epoll_event)", Poller.EventSize),
        ("offsetof(struct epoll_event, events)", 0),
        ("sizeof(((struct epoll_event *)0)->events)", sizeof(uint)),
        ("offsetof(struct epoll_event, data)", Poller.EventSize - sizeof(ulong)),
        ("sizeof(((struct epoll_event *)0)->data)", sizeof(ulong)),
    ];

    /// <summary>The library reads and writes these at fixed offsets.</summary>
    public static IReadOnlyList<(string Expression, long Value)> OfTheWire() =>
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
    ];

    /// <summary>What statx(2) fills in, read at fixed offsets.</summary>
    public static IReadOnlyList<(string Expression, long Value)> OfFileStatus() =>
    [
        ("sizeof(struct statx)", 256),
        ("offsetof(struct statx, stx_uid)", 20),
        ("offsetof(struct statx, stx_gid)", 24),
        ("offsetof(struct statx, stx_mode)", 28),
        ("offsetof(struct statx, stx_ino)", 32),
        ("offsetof(struct statx, stx_size)", 40),
        ("offsetof(struct statx, stx_mtime.tv_sec)", 112),
        ("offsetof(struct statx, stx_mtime.tv_nsec)", 120),
        ("offsetof(struct statx, stx_rdev_major)", 128),
        ("offsetof(struct statx, stx_rdev_minor)", 132),
        ("offsetof(struct statx, stx_dev_major)", 136),
        ("offsetof(struct statx, stx_dev_minor)", 140),
    ];

    /// <summary>The library is linked, so that a function it lacks fails the compilation.</summary>
    public static IReadOnlyList<(string Expression, long Value)> OfEveryFunction() =>
    [
        .. typeof(LibC).GetMethods(BindingFlags.Public | BindingFlags.Static)
            .Select(method => method.GetCustomAttribute<LibraryImportAttribute>()?.EntryPoint)
            .OfType<string>()
            .Select(name => ($"({{ void *volatile address = (void *){name}; address != NULL; }})", 1L)),

        // What we declare as nint and nuint, int and uint.
        ("sizeof(ssize_t)", nint.Size),
        ("sizeof(size_t)", nuint.Size),
        ("sizeof(nfds_t)", nuint.Size),
        ("sizeof(socklen_t)", sizeof(uint)),
        ("sizeof(int)", sizeof(int)),
    ];

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
