using ConntrackPS.Linux;
using ConntrackPS.Nftables;

namespace ConntrackPS.Helpers;

/// <summary>Finds the rules that attach helpers in a table of the kernel's own iptables. Only the target CT does, and only in the table
/// raw.</summary>
internal static class IptablesRules
{
    /// <summary>The table in which the target CT is allowed (net/netfilter/xt_CT.c).</summary>
    public const string Table = "raw";

    /// <summary>The rules with their chain, their number in it from 1, and the helper.</summary>
    /// <returns>Null if the table has a form that is unknown.</returns>
    public static IReadOnlyList<(string Chain, int Number, string Helper)>? Find(XTable table, bool isIPv6) =>
        XTableRule.Parse(table, isIPv6)?
            .Where(rule => rule.Target.Name == CtTarget.Name)
            .Select(rule => (rule.Chain, rule.Number, Helper: CtTarget.HelperOf(rule.Target.Data)))
            .Where(rule => rule.Helper.Length > 0)
            .ToArray();
}
