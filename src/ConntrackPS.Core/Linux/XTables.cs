using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Linux;

/// <summary>A table of the kernel's own iptables (x_tables), which is not part of nf_tables.</summary>
/// <param name="HookEntries">The offset of each base chain's first rule in <paramref name="Entries"/>, by hook (NF_INET_*).</param>
/// <param name="Hooks">The hooks that the table has, as bits.</param>
/// <param name="Entries">The rules: struct ipt_entry or struct ip6t_entry, one after the other.</param>
internal sealed record XTable(IReadOnlyList<uint> HookEntries, uint Hooks, byte[] Entries)
{
    /// <summary>No rules.</summary>
    public static XTable Empty { get; } = new([0, 0, 0, 0, 0], 0, []);

    private const int NameLength = 32;
    private const int MostAttempts = 6;

    /// <summary>IPT_SO_GET_INFO and IP6T_SO_GET_INFO (linux/netfilter_ipv4/ip_tables.h).</summary>
    internal const int GetInfo = 64;

    /// <summary>IPT_SO_GET_ENTRIES and IP6T_SO_GET_ENTRIES.</summary>
    internal const int GetEntries = 65;

    /// <summary>sizeof(struct ipt_getinfo), which is the same for IPv6.</summary>
    internal const int InfoLength = 84;

    /// <summary>offsetof(struct ipt_get_entries, entrytable), which is the same for IPv6.</summary>
    internal const int EntriesOffset = 40;

    private const int HookCount = 5;

    /// <summary>The maximum size of a table, in bytes. Rulesets with 100 000 rules have about 20 MB.</summary>
    private const int MostBytes = 1 << 30;

    /// <summary>Reads a table in the network namespace of the calling thread. Does not create a table, and loads no module: a table that
    /// /proc does not list has no rules.</summary>
    /// <param name="name">The name of the table, such as raw.</param>
    /// <param name="isIPv6">True for ip6tables.</param>
    /// <returns>Null if it can't be read: without CAP_NET_ADMIN, or if it changes during each attempt.</returns>
    public static XTable? Read(string name, bool isIPv6)
    {
        try
        {
            string names = $"/proc/thread-self/net/{(isIPv6 ? "ip6" : "ip")}_tables_names";
            if (!File.Exists(names) || !File.ReadLines(names).Contains(name))
                return Empty;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        // Any socket of the family will do. This one needs no CAP_NET_RAW.
        using SafeFileHandle socket = LibC.Socket(isIPv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        for (int attempt = 1; attempt <= MostAttempts && !socket.IsInvalid; attempt++)
        {
            if (TryRead(socket, name, isIPv6 ? IPPROTO_IPV6 : IPPROTO_IP, out Errno errno) is { } table)
                return table;

            // EAGAIN: the size of the table has changed.
            if (errno != Errno.TryAgain)
                return null;
        }

        return null;
    }

    private static unsafe XTable? TryRead(SafeFileHandle socket, string name, int level, out Errno errno)
    {
        byte[] info = new byte[InfoLength];
        Encoding.ASCII.GetBytes(name, info);
        if (!TryGet(socket, level, GetInfo, info, out errno))
            return null;

        // struct ipt_getinfo: the name, valid_hooks, hook_entry, underflow, num_entries, size.
        ReadOnlySpan<uint> numbers = MemoryMarshal.Cast<byte, uint>(info.AsSpan(NameLength));
        uint size = numbers[1 + 2 * HookCount + 1];
        if (size > MostBytes)
            return null;
        byte[] entries = new byte[EntriesOffset + (int)size];
        Encoding.ASCII.GetBytes(name, entries);
        MemoryMarshal.Write(entries.AsSpan(NameLength), size);
        return TryGet(socket, level, GetEntries, entries, out errno)
            ? new XTable(numbers.Slice(1, HookCount).ToArray(), numbers[0], entries[EntriesOffset..])
            : null;
    }

    private static unsafe bool TryGet(SafeFileHandle socket, int level, int option, byte[] value, out Errno errno)
    {
        fixed (byte* bytes = value)
        {
            bool isRead = LibC.GetSockOpt(socket, level, option, bytes, value.Length) == 0;
            errno = isRead ? Errno.None : (Errno)Marshal.GetLastPInvokeError();
            return isRead;
        }
    }
}
