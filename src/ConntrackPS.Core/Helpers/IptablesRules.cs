using System.Runtime.InteropServices;
using System.Text;
using ConntrackPS.Linux;
using ConntrackPS.Nftables;

namespace ConntrackPS.Helpers;

/// <summary>Finds the rules that attach helpers in a table of the kernel's own iptables. Only the target CT does, and only in the table
/// raw.</summary>
/// <remarks>linux/netfilter_ipv4/ip_tables.h, linux/netfilter_ipv6/ip6_tables.h, linux/netfilter/x_tables.h.</remarks>
internal static class IptablesRules
{
    /// <summary>The table in which the target CT is allowed (net/netfilter/xt_CT.c).</summary>
    public const string Table = "raw";

    /// <summary>offsetof(struct ipt_entry, target_offset); next_offset follows it.</summary>
    internal const int OffsetsIPv4 = 88;

    /// <summary>offsetof(struct ip6t_entry, target_offset).</summary>
    internal const int OffsetsIPv6 = 140;

    /// <summary>sizeof(struct xt_entry_target).</summary>
    internal const int TargetHeader = 32;

    private const int TargetNameLength = 29;

    /// <summary>XT_ERROR_TARGET: the entry before the first rule of a user's chain. Its data is the name of the chain.</summary>
    private const string ChainHead = "ERROR";

    private static readonly string[] BaseChains = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];

    /// <summary>The rules with their chain, their number in it from 1, and the helper.</summary>
    /// <returns>Null if the table has a form that is unknown.</returns>
    public static IReadOnlyList<(string Chain, int Number, string Helper)>? Find(XTable table, bool isIPv6)
    {
        List<(string Chain, int Number, string Helper)> found = [];
        string chain = "";
        int number = 0, offsets = isIPv6 ? OffsetsIPv6 : OffsetsIPv4;
        ReadOnlySpan<byte> entries = table.Entries;
        for (int start = 0; start < entries.Length;)
        {
            ReadOnlySpan<byte> entry = entries[start..];
            if (entry.Length < offsets + 4)
                return null;
            int target = MemoryMarshal.Read<ushort>(entry[offsets..]), next = MemoryMarshal.Read<ushort>(entry[(offsets + 2)..]);
            if (target + TargetHeader > next || next > entry.Length)
                return null;
            for (int hook = 0; hook < BaseChains.Length; hook++)
            {
                if ((table.Hooks & 1 << hook) != 0 && table.HookEntries[hook] == start)
                    (chain, number) = (BaseChains[hook], 0);
            }

            number++;
            ReadOnlySpan<byte> data = entry[(target + TargetHeader)..next];
            string name = TextOf(entry.Slice(target + 2, TargetNameLength));
            if (name == ChainHead)
                (chain, number) = (TextOf(data), 0);
            else if (name == CtTarget.Name && CtTarget.HelperOf(data) is { Length: > 0 } helper)
                found.Add((chain, number, helper));
            start += next;
        }

        return found;
    }

    private static string TextOf(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
    }
}
