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

/// <summary>A rule of the kernel's own iptables: struct ipt_entry or struct ip6t_entry.</summary>
/// <remarks>linux/netfilter_ipv4/ip_tables.h, linux/netfilter_ipv6/ip6_tables.h, linux/netfilter/x_tables.h.</remarks>
/// <param name="Chain">The chain.</param>
/// <param name="Hook">The hook of a base chain (NF_INET_*). Null for a chain that only other chains use.</param>
/// <param name="Number">The number of the rule in its chain, from 1, as iptables counts.</param>
/// <param name="Start">The offset of the rule in its table, to which verdicts of jumps refer.</param>
/// <param name="Next">The offset of the rule that follows.</param>
/// <param name="Header">The conditions on addresses, interfaces and the protocol: struct ipt_ip or struct ip6t_ip6.</param>
/// <param name="Matches">The other conditions.</param>
/// <param name="Target">The target.</param>
internal sealed record XTableRule(
    string Chain, int? Hook, int Number, int Start, int Next, byte[] Header, IReadOnlyList<XExtension> Matches, XExtension Target)
{
    /// <summary>offsetof(struct ipt_entry, target_offset); next_offset follows it.</summary>
    internal const int OffsetsIPv4 = 88;

    /// <summary>offsetof(struct ip6t_entry, target_offset).</summary>
    internal const int OffsetsIPv6 = 140;

    /// <summary>sizeof(struct ipt_entry): the matches follow.</summary>
    internal const int LengthIPv4 = 112;

    /// <summary>sizeof(struct ip6t_entry).</summary>
    internal const int LengthIPv6 = 168;

    /// <summary>XT_ERROR_TARGET: the entry before the first rule of a user's chain. Its data is the name of the chain.</summary>
    private const string ChainHead = "ERROR";

    private static readonly string[] BaseChains = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];

    /// <summary>The rules of a table, in its order. The last rule of a base chain is its policy.</summary>
    /// <returns>Null if the table has a form that is unknown.</returns>
    public static IReadOnlyList<XTableRule>? Parse(XTable table, bool isIPv6)
    {
        List<XTableRule> found = [];
        string chain = "";
        int? hook = null;
        int number = 0, offsets = isIPv6 ? OffsetsIPv6 : OffsetsIPv4, length = isIPv6 ? LengthIPv6 : LengthIPv4;
        ReadOnlySpan<byte> entries = table.Entries;
        for (int start = 0; start < entries.Length;)
        {
            ReadOnlySpan<byte> entry = entries[start..];
            if (entry.Length < length)
                return null;
            int target = MemoryMarshal.Read<ushort>(entry[offsets..]), next = MemoryMarshal.Read<ushort>(entry[(offsets + 2)..]);
            if (target < length || target + XExtension.HeaderLength > next || next > entry.Length)
                return null;
            for (int i = 0; i < BaseChains.Length; i++)
            {
                if ((table.Hooks & 1 << i) != 0 && table.HookEntries[i] == start)
                    (chain, hook, number) = (BaseChains[i], i, 0);
            }

            number++;
            XExtension action = XExtension.At(entry[target..next]);
            if (action.Name == ChainHead)
                (chain, hook, number) = (XExtension.TextOf(action.Data), null, 0);
            else if (XExtension.ListAt(entry[length..target]) is { } matches)
                found.Add(new XTableRule(chain, hook, number, start, start + next, entry[..offsets].ToArray(), matches, action));
            else
                return null;
            start += next;
        }

        return found;
    }
}

/// <summary>A match or a target of iptables: struct xt_entry_match or struct xt_entry_target.</summary>
/// <param name="Name">Its name. Empty for the target that has only a verdict.</param>
/// <param name="Revision">The form of its data.</param>
/// <param name="Data">Its data.</param>
internal sealed record XExtension(string Name, byte Revision, byte[] Data)
{
    /// <summary>sizeof(struct xt_entry_target), and of struct xt_entry_match.</summary>
    internal const int HeaderLength = 32;

    private const int NameLength = 29;

    /// <summary>Reads one, up to its end.</summary>
    public static XExtension At(ReadOnlySpan<byte> bytes) =>
        new(TextOf(bytes.Slice(2, NameLength)), bytes[HeaderLength - 1], bytes[HeaderLength..].ToArray());

    /// <summary>Reads one after the other. Null if a length is impossible.</summary>
    public static IReadOnlyList<XExtension>? ListAt(ReadOnlySpan<byte> bytes)
    {
        List<XExtension> found = [];
        while (!bytes.IsEmpty)
        {
            int size = bytes.Length < HeaderLength ? 0 : MemoryMarshal.Read<ushort>(bytes);
            if (size < HeaderLength || size > bytes.Length)
                return null;
            found.Add(At(bytes[..size]));
            bytes = bytes[size..];
        }

        return found;
    }

    /// <summary>Text up to its NUL.</summary>
    internal static string TextOf(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
    }
}
