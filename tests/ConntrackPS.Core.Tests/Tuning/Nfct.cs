using System.Globalization;
using System.Text.RegularExpressions;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Tuning;

/// <summary>The output of nfct(8) for timeouts.</summary>
internal static partial class Nfct
{
    /// <summary><c>nfct default-get timeout inet PROTOCOL</c>: seconds by the tool's names of states.</summary>
    public static Dictionary<string, uint> Defaults(NetworkNamespaceFixture ns, string protocol) =>
        ParseValues(ns.Exec("nfct", "default-get", "timeout", "inet", protocol));

    /// <summary><c>nfct list timeout</c>: each policy's family, protocol and values, by its name.</summary>
    public static Dictionary<string, (int Family, int Protocol, Dictionary<string, uint> Values)> Policies(NetworkNamespaceFixture ns) =>
        Policy().Matches(ns.Exec("nfct", "list", "timeout")).ToDictionary(
            match => match.Groups["name"].Value,
            match => (Number(match.Groups["family"].Value), Number(match.Groups["protocol"].Value), ParseValues(match.Value)));

    private static Dictionary<string, uint> ParseValues(string text) =>
        Value().Matches(text).ToDictionary(match => match.Groups[1].Value, match => (uint)Number(match.Groups[2].Value));

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\.([A-Z0-9_]+) = (\d+)")]
    private static partial Regex Value();

    [GeneratedRegex(@"^\.(?<name>\S+) = \{\s+\.l3proto = (?<family>\d+),\s+\.l4proto = (?<protocol>\d+),.*?^\};", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Policy();
}
