using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Expectations;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Creates masters and expectations, and reads them with conntrack(8) and /proc.</summary>
internal static class ExpectationSamples
{
    /// <summary>An established connection with a helper. Create it before its expectations.</summary>
    public static ConntrackEntry Master(string helper, IPProtocol protocol, string source, int sourcePort, string destination, int destinationPort)
    {
        ConntrackEntry entry = Entries.Make(protocol, source, sourcePort, destination, destinationPort);
        if (protocol == IPProtocol.Tcp)
            entry.WithState(ConntrackState.Established);
        entry.MakeDetails().Helper = helper;
        return entry;
    }

    public static ConntrackEntry FtpMaster(int sourcePort = 1000) => Master("ftp", IPProtocol.Tcp, "192.0.2.1", sourcePort, "198.51.100.7", 21);

    /// <summary>An expectation of a connection from the server of <see cref="FtpMaster"/> to its client.</summary>
    public static ConntrackExpectation Data(ConntrackEntry master, int port = 5000, string source = "198.51.100.7", ExpectationTemplate? more = null) =>
        ((more ?? new ExpectationTemplate()) with
        {
            Source = ConntrackPS.Conntrack.Filtering.AddressPrefix.Parse(source),
            Destination = HostAddress.Parse(master.SourceAddress!),
            DestinationPort = (ushort)port,
            Master = ConntrackPS.Conntrack.Table.EntryKey.Of(master),
        }).Make();

    public static ConntrackExpectation Create(NetworkNamespaceFixture ns, ConntrackExpectation expectation)
    {
        using ExpectationCreator creator = new ExpectationTable(ns.Namespace).CreateCreator();
        return creator.Create(expectation) ?? throw new InvalidOperationException($"{expectation} is gone already.");
    }

    /// <summary>The output of <c>conntrack -L expect</c>, with our names and sorted. Unlike for entries, it lists IPv6 only on
    /// request.</summary>
    public static List<SortedDictionary<string, string>> Listed(NetworkNamespaceFixture ns) =>
    [
        .. Lines(ns.Exec("conntrack", "-L", "expect", "-f", "ipv4") + ns.Exec("conntrack", "-L", "expect", "-f", "ipv6"))
            .Select(Parse).OrderBy(Text),
    ];

    /// <summary>The same for our expectations, without the values that the tool does not show.</summary>
    public static List<SortedDictionary<string, string>> Shown(IEnumerable<ConntrackExpectation> expectations) =>
        [.. expectations.Select(Comparable).OrderBy(Text)];

    /// <summary>The lines of /proc/net/nf_conntrack_expect.</summary>
    public static string[] Proc(NetworkNamespaceFixture ns) => Lines(ns.Exec("cat", "/proc/net/nf_conntrack_expect"));

    /// <summary>The values of an expectation that conntrack(8) shows.</summary>
    public static SortedDictionary<string, string> Comparable(ConntrackExpectation expectation) => EntryProperties.Of(
        expectation,
        "Id", "Zone", "Namespace", "Function", "NatDirection", "NatAddress", "NatPort", "TimeoutSeconds", "AddressFamily", "MasterProtocol",
        "EventTime", "EventType", "Sequence", "LostCount");

    /// <summary>One line of <c>conntrack -L expect</c> or <c>-E expect</c>.</summary>
    public static SortedDictionary<string, string> Parse(string line)
    {
        ILookup<string, string> values = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(word => word.Split('=', 2)).Where(pair => pair.Length == 2).ToLookup(pair => pair[0], pair => pair[1]);
        string[] flags = [.. line.Split(' ').SelectMany(word => word.Split(',')).Where(word => word is "PERMANENT" or "INACTIVE" or "USERSPACE")];
        (string source, string destination) = values.Contains("srckey") ? ("srckey", "dstkey") : ("sport", "dport");
        return new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["Protocol"] = ((IPProtocol)int.Parse(values["proto"].First(), CultureInfo.InvariantCulture)).ToString(),
            ["SourceAddress"] = values["src"].First(),
            ["DestinationAddress"] = values["dst"].First(),
            ["SourcePort"] = Number(values[source].First()),
            ["DestinationPort"] = Number(values[destination].First()),
            ["SourceMask"] = values["mask-src"].First(),
            ["SourcePortMask"] = Number(values[source].ElementAt(1)),
            ["MasterSourceAddress"] = values["master-src"].First(),
            ["MasterDestinationAddress"] = values["master-dst"].First(),
            ["MasterSourcePort"] = Number(values["sport"].Last()),
            ["MasterDestinationPort"] = Number(values["dport"].Last()),
            ["Class"] = values["class"].First(),
            ["Helper"] = values["helper"].First(),
            ["Flags"] = flags.Length == 0 ? "None" : string.Join(", ", flags.Select(flag => flag[0] + flag[1..].ToLowerInvariant())),
        };
    }

    private static string Number(string text) => text.StartsWith("0x", StringComparison.Ordinal)
        ? int.Parse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture)
        : text;

    private static string Text(SortedDictionary<string, string> values) => string.Join(' ', values);

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
