using ConntrackPS.Conntrack;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Table;

public sealed class ClearTests : IDisposable
{
    private readonly NetworkNamespaceFixture _ns = new();

    public ClearTests() => TableFiller.Create(_ns, new RandomTable(RandomTable.DefaultSeed, [], withLabels: false).Make(200));

    public void Dispose() => _ns.Dispose();

    [Fact]
    public void Everything_goes_of_both_families_and_all_zones()
    {
        _ns.Table.Clear();
        Assert.Empty(ConntrackTool.ListXml(_ns));
    }

    [Theory]
    [InlineData(IPFamily.IPv4, IPFamily.IPv6)]
    [InlineData(IPFamily.IPv6, IPFamily.IPv4)]
    public void One_family_goes_and_the_other_is_left_alone(IPFamily cleared, IPFamily left)
    {
        IEnumerable<uint?> expected = [.. ConntrackTool.ListXml(_ns).Where(flow => flow.Family == (int)left).Select(flow => flow.Id).Order()];
        _ns.Table.Clear(cleared);
        Assert.NotEmpty(expected);
        Assert.Equal(expected, ConntrackTool.ListXml(_ns).Select(flow => flow.Id).Order());
    }

    [Fact]
    public void Another_namespace_is_left_alone()
    {
        using NetworkNamespaceFixture other = new();
        TableFiller.Fill(other, 10);
        _ns.Table.Clear();
        Assert.Equal(10, ConntrackTool.ListXml(other).Count);
    }

    [Fact]
    public void An_empty_table_is_no_error()
    {
        _ns.Table.Clear();
        _ns.Table.Clear();
        _ns.Table.Clear(IPFamily.IPv6);
        Assert.Empty(_ns.Table.Read());
    }
}
