using System.Globalization;
using System.Net;
using System.Numerics;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Parses a line of /proc/net/nf_conntrack or of <c>conntrack -L -o extended</c>, which are similar.</summary>
/// <remarks>Written only for the tests, and intentionally without code of the library.</remarks>
internal static class FlowLine
{
    public static FlowRecord Parse(string line)
    {
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        (Dictionary<string, string> original, Dictionary<string, string> reply, List<string> flags) = Sort(words.AsSpan(5));
        return new FlowRecord(Number<int>(words[1]), Number<int>(words[3]), Direction(original, "zone-orig"), Direction(reply, "zone-reply"))
        {
            Timeout = Number<long>(words[4]),
            State = flags.FirstOrDefault(flag => !flag.StartsWith('[')),
            IsUnreplied = flags.Contains("[UNREPLIED]"),
            IsAssured = flags.Contains("[ASSURED]"),
            Mark = Get<uint>(reply, "mark"),
            Zone = Get<ushort>(reply, "zone") ?? 0,
            Use = Get<uint>(reply, "use"),
            Id = Get<uint>(reply, "id"),
            Helper = reply.GetValueOrDefault("helper"),
            Labels = reply.GetValueOrDefault("labels"),
            Age = Get<long>(reply, "delta-time"),
        };
    }

    /// <summary>Groups name=value pairs by direction. Values of the whole entry come after the reply.</summary>
    private static (Dictionary<string, string> Original, Dictionary<string, string> Reply, List<string> Flags) Sort(ReadOnlySpan<string> words)
    {
        Dictionary<string, string> original = [], reply = [];
        List<string> flags = [];
        Dictionary<string, string> current = original;
        foreach (string word in words)
        {
            string[] pair = word.TrimEnd(',').Split('=', 2);
            if (pair.Length == 1)
            {
                flags.Add(pair[0]);
                continue;
            }

            if (pair[0] == "src" && original.ContainsKey("src"))
                current = reply;

            // An "id" after a "type" is the ICMP id. A later one is the id of the entry.
            bool isIcmpId = pair[0] == "id" && current.ContainsKey("type") && !current.ContainsKey("icmp-id");
            current[isIcmpId ? "icmp-id" : pair[0]] = pair[1];
        }

        return (original, reply, flags);
    }

    private static FlowDirection Direction(Dictionary<string, string> words, string zone) =>
        new(IPAddress.Parse(words["src"]).ToString(), IPAddress.Parse(words["dst"]).ToString())
        {
            SourcePort = Get<ushort>(words, "sport"),
            DestinationPort = Get<ushort>(words, "dport"),
            IcmpType = Get<byte>(words, "type"),
            IcmpCode = Get<byte>(words, "code"),
            IcmpId = Get<ushort>(words, "icmp-id"),
            SourceKey = Get<ushort>(words, "srckey"),
            DestinationKey = Get<ushort>(words, "dstkey"),
            Zone = Get<ushort>(words, zone),
            Packets = Get<ulong>(words, "packets"),
            Bytes = Get<ulong>(words, "bytes"),
        };

    private static T? Get<T>(Dictionary<string, string> words, string name)
        where T : struct, INumber<T> =>
        words.TryGetValue(name, out string? text) ? Number<T>(text) : null;

    private static T Number<T>(string text)
        where T : struct, INumber<T> =>
        text.StartsWith("0x", StringComparison.Ordinal)
            ? T.Parse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)
            : T.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
}
