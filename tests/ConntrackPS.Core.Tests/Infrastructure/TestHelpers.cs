using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>The connection-tracking helpers that this kernel has for both address families.</summary>
internal static class TestHelpers
{
    private static readonly (string Name, IPProtocol Protocol)[] Known =
    [
        ("ftp", IPProtocol.Tcp), ("sip", IPProtocol.Tcp), ("sane", IPProtocol.Tcp),
        ("sip", IPProtocol.Udp), ("tftp", IPProtocol.Udp), ("amanda", IPProtocol.Udp),
    ];

    /// <summary>Tries each of them in a new namespace.</summary>
    public static IReadOnlyList<(string Name, IPProtocol Protocol)> Find()
    {
        using NetworkNamespaceFixture ns = new();
        return [.. Known.Where(helper =>
            TableFiller.TryCreate(ns, Trial(helper, "192.0.2.1", "198.51.100.7"))
            && TableFiller.TryCreate(ns, Trial(helper, "2001:db8::1", "2001:db8::2")))];
    }

    private static ConntrackEntry Trial((string Name, IPProtocol Protocol) helper, string source, string destination)
    {
        ConntrackEntry entry = Entries.Make(helper.Protocol, source, helper.Name.Length, destination, helper.Name[0]);
        entry.MakeDetails().Helper = helper.Name;
        return entry;
    }
}
