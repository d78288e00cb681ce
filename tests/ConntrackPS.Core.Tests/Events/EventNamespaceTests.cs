using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Events;
using ConntrackPS.Linux;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Events;

/// <summary>Namespaces that are created and deleted during a watch.</summary>
public sealed class EventNamespaceTests
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan WaitTimeout = TimeSpan.FromSeconds(20);

    [Fact]
    public void One_that_is_deleted_is_an_error_after_its_last_events()
    {
        NetworkNamespaceFixture ns = new();
        using EventStream stream = new(new EventOptions(), ns.Namespace);
        TableFiller.Fill(ns, 10);
        ns.Dispose();
        List<ConntrackEvent> events = [];
        NetworkNamespaceException gone = Assert.Throws<NetworkNamespaceException>(() =>
        {
            for (DateTime end = DateTime.UtcNow + WaitTimeout; DateTime.UtcNow < end;)
                events.AddRange(stream.Take(Look));
        });
        Assert.Equal((ns.Name, Errno.Stale), (gone.NetworkNamespace, gone.Errno));
        Assert.Equal(10, events.Count(happened => happened.EventType == ConntrackEventType.New));
    }

    [Fact]
    public void One_of_another_namespace_under_the_same_name_is_another()
    {
        using NetworkNamespaceFixture ns = new();
        using EventStream stream = new(new EventOptions(), ns.Namespace);
        Shell.Run("ip", "netns", "delete", ns.Name);
        Shell.Run("ip", "netns", "add", ns.Name);
        Assert.Throws<NetworkNamespaceException>(() => stream.Take(WaitTimeout));
    }

    [Fact]
    public void Of_several_the_others_are_watched_on()
    {
        using NetworkNamespaceFixture stays = new();
        NetworkNamespaceFixture goes = new();
        using EventStream stream = new(new EventOptions(), stays.Namespace, goes.Namespace);
        goes.Dispose();
        Exception? failure = null;

        // It is reported even if nothing else happens.
        Assert.Empty(stream.Take(TimeSpan.FromHours(1)));
        Assert.True(stream.TryTakeFailure(out failure));
        Assert.Equal(goes.Name, Assert.IsType<NetworkNamespaceException>(failure).NetworkNamespace);
        TableFiller.Create(stays, Entries.Any());
        Assert.Equal(stays.Name, Assert.Single(stream.Take(WaitTimeout)).Namespace);
    }

    [Fact]
    public void Following_hears_namespaces_that_come_later()
    {
        EventOptions options = new()
        {
            FollowNamespaces = true,
            Filter = new ConntrackFilter { SourceAddress = [AddressPrefix.Parse("192.0.2.77")] },
        };
        using NetworkNamespaceFixture before = new();
        using EventStream stream = new(options);
        List<string?> heard = [];
        Assert.True(Hears(before));
        using NetworkNamespaceFixture later = new();
        Assert.True(Hears(later));

        bool Hears(NetworkNamespaceFixture ns) => Wait.Until(() =>
        {
            ns.Table.Clear();
            TableFiller.Create(ns, Entries.Udp("192.0.2.77", 1, "198.51.100.7", 53));
            heard.AddRange(stream.Take(Look).Select(happened => happened.Namespace));
            return heard.Contains(ns.Name);
        });
    }

    [Fact]
    public void Following_hears_a_namespace_with_two_names_once()
    {
        using NetworkNamespaceFixture ns = new();
        ns.SetConntrackSetting("nf_conntrack_events", 1);
        string second = $"{NetworkNamespace.NamedDirectory}/{ns.Name}-too";
        File.WriteAllText(second, "");
        Shell.Run("mount", "--bind", $"{NetworkNamespace.NamedDirectory}/{ns.Name}", second);
        try
        {
            using EventStream stream = new(new EventOptions { FollowNamespaces = true, IncludeExisting = true, EventType = [ConntrackEventType.Destroy] });
            TableFiller.Create(ns, Entries.Udp("192.0.2.78", 1, "198.51.100.7", 53));
            List<ConntrackEvent> heard = [];
            Assert.True(Wait.Until(() =>
            {
                heard.AddRange(stream.Take(Look).Where(happened => happened.SourceAddress == "192.0.2.78"));
                if (heard is [{ EventType: ConntrackEventType.Existing }])
                    ns.Table.Clear();
                return heard.Exists(happened => happened.EventType == ConntrackEventType.Destroy);
            }));
            Assert.Equal([ConntrackEventType.Existing, ConntrackEventType.Destroy], heard.Select(happened => happened.EventType));
        }
        finally
        {
            Shell.Run("umount", second);
            File.Delete(second);
        }
    }

    [Fact]
    public void Enabling_events_ends_with_the_stream()
    {
        using NetworkNamespaceFixture ns = new();
        using (EventStream stream = new(new EventOptions { EnableEvents = true }, ns.Namespace))
            Assert.Equal(1, EventSwitch.Read(ns.Namespace));
        Assert.Equal(2, EventSwitch.Read(ns.Namespace));
    }
}
