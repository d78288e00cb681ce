using ConntrackPS.Blocking;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Expectations;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>An entry with missing values, such as ICMP in conntrack's XML, is never sent in a request.</summary>
public sealed class IncompleteTupleTests : IDisposable
{
    private readonly NetworkNamespaceFixture _ns = new();

    public static TheoryData<IPProtocol, string> Incomplete => new()
    {
        { IPProtocol.Icmp, "IcmpType, IcmpCode, IcmpId" },
        { IPProtocol.IcmpV6, "IcmpType, IcmpCode, IcmpId" },
        { IPProtocol.Tcp, "SourcePort, DestinationPort" },
        { IPProtocol.Udp, "SourcePort, DestinationPort" },
    };

    public void Dispose() => _ns.Dispose();

    [Theory]
    [MemberData(nameof(Incomplete))]
    public void Nothing_of_it_is_sent_to_the_kernel(IPProtocol protocol, string missing)
    {
        ConntrackEntry entry = Make(protocol);
        EntryKey key = EntryKey.Of(entry);
        using EntryCreator creator = _ns.Table.CreateCreator();
        using EntryDeleter deleter = _ns.Table.CreateDeleter();
        using EntryUpdater updater = _ns.Table.CreateUpdater();
        using EntryFinder finder = _ns.Table.CreateFinder();
        using ExpectationCreator expectations = new ExpectationTable(_ns.Namespace).CreateCreator();
        Action[] attempts =
        [
            () => creator.Add(entry, entry),
            () => creator.Add(WithMaster(entry), entry),
            () => deleter.Add(key, entry),
            () => deleter.Add(key with { Id = 7 }, entry),
            () => updater.Add(key, new EntryChange { Mark = new(1) }, entry),
            () => finder.Find(key),
            () => finder.FindEitherWay(key),
            () => BlockTarget.Of([entry]),
            () => expectations.Create(new ConntrackExpectation { Expected = Entries.Any().Original, Mask = Entries.Any().Original, Master = entry.Original }),
            () => Write(entry),
        ];
        foreach (Action attempt in attempts)
            Assert.EndsWith(missing.Split(' ')[^1] + ".", Assert.Throws<IncompleteTupleException>(attempt).Message);
        creator.Flush();
        deleter.Flush();
        updater.Flush();

        Assert.Equal((0, 0, 0), (creator.Created, deleter.Deleted, updater.Changed));
        Assert.Empty(ConntrackTool.ListXml(_ns));
        Assert.Equal(missing, Assert.Throws<IncompleteTupleException>(() => deleter.Add(key, entry)).Missing);
    }

    [Fact]
    public void What_a_kernel_tracks_by_address_alone_is_whole()
    {
        Assert.All(
            new[] { IPProtocol.Gre, IPProtocol.Sctp, IPProtocol.Dccp, IPProtocol.UdpLite, IPProtocol.Esp },
            protocol => Assert.True(Make(protocol).Original.IsWhole));
        Assert.False(default(ConntrackTuple).IsWhole);
    }

    private static ConntrackEntry Make(IPProtocol protocol) => protocol == IPProtocol.IcmpV6
        ? Entries.Generic(protocol, "2001:db8::1", "2001:db8::2")
        : Entries.Generic(protocol, "192.0.2.1", "192.0.2.2");

    private static ConntrackEntry WithMaster(ConntrackEntry master)
    {
        ConntrackEntry entry = Entries.Any();
        entry.MakeDetails().Master = master.Original;
        return entry;
    }

    private static void Write(ConntrackEntry entry)
    {
        MessageWriter writer = new(new byte[NetlinkBatch.MaximumMessageSize]);
        TupleCodec.Write(ref writer, EntryAttribute.TupleOrig, entry.Original);
    }
}
