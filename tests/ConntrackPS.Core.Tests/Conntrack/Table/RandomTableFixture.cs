using ConntrackPS.Conntrack;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>A namespace whose table has all kinds of entries.</summary>
public sealed class RandomTableFixture : IDisposable
{
    private const int Count = 700;

    public RandomTableFixture()
    {
        Namespace = new NetworkNamespaceFixture();
        EnableLabels();
        HelperList = TestHelpers.Find();
        Created = new RandomTable(RandomTable.DefaultSeed, HelperList).Make(Count);

        // Only entries that start while counters and times are on have them: half of the table.
        TableFiller.Create(Namespace, Created.Take(Count / 2));
        Namespace.SetConntrackSetting("nf_conntrack_acct", 1);
        Namespace.SetConntrackSetting("nf_conntrack_timestamp", 1);
        TableFiller.Create(Namespace, Created.Skip(Count / 2));
    }

    public NetworkNamespaceFixture Namespace { get; }

    /// <summary>The requested entries, in the order of creation.</summary>
    internal List<ConntrackEntry> Created { get; }

    internal IReadOnlyList<(string Name, IPProtocol Protocol)> HelperList { get; }

    public void Dispose() => Namespace.Dispose();

    /// <summary>Entries have space for labels only while a rule uses labels.</summary>
    private void EnableLabels()
    {
        Namespace.Exec("nft", "add", "table", "inet", "labels");
        Namespace.Exec("nft", "add", "chain", "inet", "labels", "output", "{ type filter hook output priority 0; }");
        Namespace.Exec("nft", "add", "rule", "inet", "labels", "output", "ct", "label", "set", "5");
    }
}
