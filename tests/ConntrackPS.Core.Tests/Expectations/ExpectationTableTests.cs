using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Expectations;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;
using Make = ConntrackPS.Tests.Infrastructure.ExpectationSamples;

namespace ConntrackPS.Tests.Expectations;

/// <summary>Compares with the kernel, by conntrack(8) and /proc/net/nf_conntrack_expect.</summary>
public sealed class ExpectationTableTests : IDisposable
{
    private readonly NetworkNamespaceFixture _ns = new();
    private readonly ExpectationTable _table;

    public ExpectationTableTests() => _table = new ExpectationTable(_ns.Namespace);

    public void Dispose() => _ns.Dispose();

    [Fact]
    public void A_listing_says_what_conntrack_says()
    {
        ConntrackEntry ftp = Make.FtpMaster(), pptp = Make.Master("pptp", IPProtocol.Tcp, "192.0.2.1", 1001, "198.51.100.7", 1723);
        ConntrackEntry sip = Make.Master("sip", IPProtocol.Udp, "192.0.2.1", 5060, "198.51.100.7", 5060);
        ConntrackEntry six = Make.Master("ftp", IPProtocol.Tcp, "2001:db8::1", 1000, "2001:db8:1::7", 21);
        TableFiller.Create(_ns, ftp, pptp, sip, six);
        ExpectationTemplate media = new()
        {
            Class = 1,
            Helper = "sip",
            Flags = ExpectationFlags.Permanent | ExpectationFlags.Inactive,
            Function = "sip",
            NatAddress = HostAddress.Parse("10.1.2.3"),
            NatPort = 7078,
            NatDirection = TupleDirection.Reply,
        };
        Make.Create(_ns, Make.Data(ftp, 5000, "198.51.100.0/24", new ExpectationTemplate { SourcePort = 20 }));
        Make.Create(_ns, Make.Data(pptp, 5001, more: new ExpectationTemplate { Protocol = IPProtocol.Gre, SourcePort = 7 }));
        ConntrackExpectation created = Make.Create(_ns, Make.Data(sip, 7078, "0.0.0.0/0", media));
        Make.Create(_ns, Make.Data(six, 5003, "2001:db8:1::/48"));

        IReadOnlyList<ConntrackExpectation> listed = _table.Read();
        Assert.Equal(4, listed.Count);
        Assert.Equal(Make.Listed(_ns), Make.Shown(listed));
        Assert.All(listed, expectation => Assert.Equal(((ushort?)0, _ns.Name), (expectation.Zone, expectation.Namespace)));
        Assert.Equal(("sip", "10.1.2.3", (ushort?)7078, TupleDirection.Reply), (created.Function, created.NatAddress, created.NatPort, created.NatDirection));
        Assert.Equal(created.Id, Assert.Single(_table.Read(new ExpectationFilter { Helper = ["sip"] })).Id);
        Assert.Equal("2001:db8::1", Assert.Single(_table.Read(new ExpectationFilter { AddressFamily = IPFamily.IPv6 })).MasterSourceAddress);
    }

    /// <summary>An expectation without a zone would count as gone.</summary>
    [Fact]
    public void A_zone_that_a_spoilt_listing_of_the_masters_did_not_tell_is_an_error()
    {
        ConntrackEntry master = Make.FtpMaster();
        master.Zone = 5;
        TableFiller.Create(_ns, master, Make.FtpMaster());
        Make.Create(_ns, Make.Data(master));
        ConntrackExpectation listed = Assert.Single(_table.Read());
        Assert.Equal((ushort?)5, listed.Zone);
        using ExpectationFinder finder = _table.CreateFinder();
        long buckets = 0;
        bool isEmpty = true;
        ScanTerms terms = new() { ReadBuckets = () => ++buckets, LeastRepeats = 0, RepeatTimeout = TimeSpan.Zero, ReadCount = _ => null };
        ZoneFinder blind = new(finder, new ConntrackTable(_ns.Namespace, KernelFeatures.All, terms with { Open = _ => Empty() }));
        ZoneFinder lucky = new(finder, new ConntrackTable(_ns.Namespace, KernelFeatures.All, terms));
        listed.Zone = null;
        Assert.Throws<IncompleteListingException>(() => blind.Assign([listed]));
        lucky.Assign([listed]);
        Assert.Equal((ushort?)5, listed.Zone);

        // Nothing is left to find, so no listing is needed.
        isEmpty = false;
        blind.Assign([listed]);

        NetlinkConnection Empty()
        {
            Assert.True(isEmpty);
            FakeKernel empty = new();
            empty.Answer(Messages.Done(1));
            return empty.Connection;
        }
    }

    [Fact]
    public void Of_equal_ones_in_three_zones_only_the_one_that_was_named_goes()
    {
        foreach (ushort zone in (ushort[])[0, 5, 6])
        {
            ConntrackEntry master = Make.FtpMaster();
            master.Zone = zone;
            TableFiller.Create(_ns, master);
            Make.Create(_ns, Make.Data(master));
        }

        IReadOnlyList<ConntrackExpectation> listed = _table.Read();
        Assert.Equal([0, 5, 6], listed.Select(expectation => (int)expectation.Zone!.Value).Order());
        Assert.Equal((1, 0), Delete(_table.KeyOf(listed.Single(expectation => expectation.Zone == 5))!.Value));

        // The kernel deletes an expectation with its master. If another master had been deleted, only one would be left.
        Assert.Equal(2, Make.Proc(_ns).Length);
        _ns.Exec("conntrack", "-D", "-w", "6");
        Assert.Single(Make.Proc(_ns));
        _ns.Exec("conntrack", "-D", "-w", "0");
        Assert.Empty(Make.Proc(_ns));
    }

    [Fact]
    public void A_zone_of_the_masters_original_direction_is_found()
    {
        ConntrackEntry master = Make.FtpMaster().WithZone(TupleDirection.Original, 9);
        TableFiller.Create(_ns, master);
        Make.Create(_ns, Make.Data(master));
        Assert.Equal((ushort?)9, Assert.Single(_table.Read()).Zone);
    }

    [Fact]
    public void Another_one_that_took_the_tuple_since_is_left_alone()
    {
        ConntrackEntry master = Make.FtpMaster();
        TableFiller.Create(_ns, master);
        ConntrackExpectation present = Make.Create(_ns, Make.Data(master));
        Assert.Equal((0, 1), Delete(new ExpectationKey(present.Expected, 0, present.Id!.Value + 1)));
        Assert.Single(Make.Proc(_ns));
        Assert.Equal((1, 0), Delete(new ExpectationKey(present.Expected, 0, present.Id!.Value)));
        Assert.Empty(Make.Proc(_ns));
        Assert.Equal((0, 1), Delete(new ExpectationKey(present.Expected, 0, present.Id!.Value)));
    }

    [Fact]
    public void The_expectation_that_a_connection_would_meet_is_found()
    {
        ConntrackEntry master = Make.FtpMaster();
        TableFiller.Create(_ns, master);
        Make.Create(_ns, Make.Data(master, 5000, "198.51.100.0/24"));
        using ExpectationFinder finder = _table.CreateFinder();
        Assert.Equal("198.51.100.0", finder.Find(Make.Data(master, 5000, "198.51.100.77").Expected with { SourcePort = 20 }, 0)?.SourceAddress);
        Assert.Null(finder.Find(Make.Data(master, 5000, "198.51.101.77").Expected, 0));
        Assert.Null(finder.Find(Make.Data(master, 5001, "198.51.100.77").Expected, 0));
        Assert.Null(finder.Find(Make.Data(master, 5000, "198.51.100.77").Expected, 5));
    }

    [Fact]
    public void The_timeout_is_what_was_asked_for_at_once_and_later()
    {
        ConntrackEntry master = Make.FtpMaster();
        TableFiller.Create(_ns, master);
        using ExpectationCreator creator = _table.CreateCreator();
        creator.Create(Make.Data(master, more: new ExpectationTemplate { TimeoutSeconds = 4000 }));
        Assert.InRange(ProcTimeout(), 3900, 4000);
        creator.Create(Make.Data(master, more: new ExpectationTemplate { TimeoutSeconds = 9000 }), force: true);
        Assert.InRange(ProcTimeout(), 8900, 9000);
    }

    [Fact]
    public void What_the_kernel_refuses_it_refuses_with_its_reason()
    {
        ConntrackEntry master = Make.FtpMaster(), plain = Entries.Tcp("192.0.2.1", 1002, "198.51.100.7", 21).WithState(ConntrackState.Established);
        TableFiller.Create(_ns, master, plain);
        Make.Create(_ns, Make.Data(master));
        string[] before = Make.Proc(_ns);

        Assert.Equal(Errno.Exists, Refusal(Make.Data(master)));
        Assert.Equal(Errno.Exists, Refusal(Make.Data(master, source: "198.51.100.7/32", more: new ExpectationTemplate { SourcePort = 20 })));
        Assert.Equal(Errno.Busy, Refusal(Make.Data(master, source: "0.0.0.0/0")));
        Assert.Equal(Errno.NotFound, Refusal(Make.Data(Make.FtpMaster(1003), 5001)));
        Assert.Equal(Errno.NotFound, Refusal(Make.Data(master, 5001, more: new ExpectationTemplate { Zone = 5 })));
        Assert.Equal(Errno.NotSupported, Refusal(Make.Data(plain, 5001)));
        Assert.Equal(Errno.InvalidArgument, Refusal(Make.Data(master, 5001, more: new ExpectationTemplate { Class = 1, Helper = "ftp" })));
        Assert.Equal(Errno.InvalidArgument, Refusal(Make.Data(master, 5001, more: new ExpectationTemplate { Function = "no-such" })));
        Assert.Equal(before.Length, Make.Proc(_ns).Length);
    }

    /// <summary>Force applies to an equal expectation. Another one that only matches the tuple keeps its timeout.</summary>
    [Fact]
    public void Force_does_not_touch_another_expectation()
    {
        ConntrackEntry master = Make.FtpMaster();
        TableFiller.Create(_ns, master);
        Make.Create(_ns, Make.Data(master, source: "198.51.100.0/24"));
        using ExpectationCreator creator = _table.CreateCreator();
        ConntrackExpectation narrow = Make.Data(master, more: new ExpectationTemplate { TimeoutSeconds = 4000 });
        Assert.Equal(Errno.Exists, Assert.Throws<NetlinkException>(() => creator.Create(narrow, force: true)).Errno);
        Assert.InRange(ProcTimeout(), 1, 300);
    }

    [Fact]
    public void There_are_as_many_as_the_kernel_allows()
    {
        const int PerMaster = 8;
        int maximum = int.Parse(_ns.Exec("cat", "/proc/sys/net/netfilter/nf_conntrack_expect_max"), System.Globalization.CultureInfo.InvariantCulture);
        ConntrackEntry[] masters = [.. Enumerable.Range(1, maximum / PerMaster + 1)
            .Select(number => Make.Master("irc", IPProtocol.Tcp, "192.0.2.1", number, "198.51.100.7", 6667))];
        TableFiller.Create(_ns, masters);
        using ExpectationCreator creator = _table.CreateCreator();
        for (int i = 0; i < maximum; i++)
            creator.Create(Make.Data(masters[i / PerMaster], i + 1));

        // /proc finds its position by counting the expectations of all namespaces. While others are created or deleted, it may list one
        // twice or not at all.
        Assert.True(Wait.Until(() => Make.Proc(_ns).Length == maximum));
        Assert.Equal(Errno.TooMany, Refusal(Make.Data(masters[^1], maximum + 1)));
        Assert.Equal(maximum, _table.Read().Count);
        _table.Clear();
        Assert.Empty(Make.Proc(_ns));
    }

    [Fact]
    public void Emptying_one_family_leaves_the_other_and_the_masters()
    {
        ConntrackEntry four = Make.FtpMaster(), six = Make.Master("ftp", IPProtocol.Tcp, "2001:db8::1", 1000, "2001:db8:1::7", 21);
        TableFiller.Create(_ns, four, six);
        Make.Create(_ns, Make.Data(four));
        Make.Create(_ns, Make.Data(six, 5000, "2001:db8:1::7"));
        _table.Clear(IPFamily.IPv4);
        Assert.Equal("2001:db8::1", Assert.Single(Make.Listed(_ns))["DestinationAddress"]);
        Assert.Equal(2, ConntrackTool.ListXml(_ns).Count);
    }

    private (int Deleted, int Gone) Delete(ExpectationKey key)
    {
        using ExpectationDeleter deleter = _table.CreateDeleter();
        deleter.Add(key, key);
        deleter.Flush();
        Assert.Empty(deleter.TakeResults());
        return ((int)deleter.Deleted, (int)deleter.AlreadyGone);
    }

    private Errno Refusal(ConntrackExpectation expectation)
    {
        using ExpectationCreator creator = _table.CreateCreator();
        return Assert.Throws<NetlinkException>(() => creator.Create(expectation)).Errno;
    }

    private int ProcTimeout() =>
        int.Parse(Assert.Single(Make.Proc(_ns)).Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
}
