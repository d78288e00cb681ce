using ConntrackPS.Conntrack;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Text;

namespace ConntrackPS.Tests.Text;

/// <summary>Lines that conntrack is to delete entries by.</summary>
public sealed class DeleteTextTests
{
    private const int Seed = 20261124;

    [Fact]
    public void Conntrack_deletes_the_entries_written_and_no_others()
    {
        using NetworkNamespaceFixture ns = new();
        List<ConntrackEntry> made = new RandomTable(Seed, [], withLabels: false, withCrossings: false).Make(300);
        TableFiller.Create(ns, made.Where(entry => entry.Protocol is not (IPProtocol.Gre or IPProtocol.Dccp)));
        List<ConntrackEntry> entries = [.. ns.Table.Read()];
        (List<ConntrackEntry> gone, List<ConntrackEntry> kept) = (entries.Where((_, i) => i % 2 == 0).ToList(), entries.Where((_, i) => i % 2 == 1).ToList());
        ConntrackTextWriter writer = new(ConntrackTextFormat.Delete);
        string file = Path.GetTempFileName();
        File.WriteAllLines(file, gone.Select(writer.Write));
        ns.Exec("conntrack", "-R", file);
        File.Delete(file);
        Assert.True(gone.Count > 100);
        Assert.Equal(kept.Select(entry => entry.Id).Order(), ConntrackTool.ListXml(ns).Select(flow => flow.Id).Order());
    }

    [Fact]
    public void A_line_has_the_tuple_and_the_zone_alone() => Assert.Equal(
        "-D -w 0 -s 2001:db8::1 -d 2001:db8::2 -p udp --sport 5000 --dport 53",
        new ConntrackTextWriter(ConntrackTextFormat.Delete).Write(Entries.Udp("2001:db8::1", 5000, "2001:db8::2", 53)));

    [Fact]
    public void A_tunnel_that_conntrack_takes_for_another_is_refused() => Assert.Throws<NotSupportedException>(
        () => new ConntrackTextWriter(ConntrackTextFormat.Delete).Write(Entries.Make(IPProtocol.Gre, "192.0.2.1", 1, "192.0.2.2", 2)));
}
