using ConntrackPS.Conntrack;
using ConntrackPS.Events;
using ConntrackPS.Expectations;
using ConntrackPS.Expectations.Events;
using ConntrackPS.Linux;
using ConntrackPS.Tests.Infrastructure;
using Make = ConntrackPS.Tests.Infrastructure.ExpectationSamples;

namespace ConntrackPS.Tests.Expectations;

public sealed class ExpectationWatcherTests : IDisposable
{
    private readonly NetworkNamespaceFixture _ns = new();

    public void Dispose() => _ns.Dispose();

    /// <summary>A buffer and a backlog for a few events that are not taken: received and lost events together are all events.</summary>
    [Fact]
    public void Every_lost_event_is_counted()
    {
        const int Count = 900;
        using ExpectationWatcher watcher = new(_ns.Namespace, [ConntrackEventType.New], receiveBufferSize: 4096, backlogSize: 4096);
        Expect(Count);
        List<ConntrackExpectationEvent> events = [];
        Assert.True(Wait.Until(() =>
        {
            events.AddRange(watcher.Take(TimeSpan.FromMilliseconds(20)));
            return events is [.., { Sequence: Count }];
        }), $"{events.Count} events came");
        ulong lost = (ulong)events.Sum(happened => (long)(happened.LostCount ?? 0));
        Assert.True(lost > 0);
        Assert.Equal(Count, events.Count(happened => happened.EventType == ConntrackEventType.New) + (int)lost);
    }

    [Fact]
    public void A_slow_consumer_loses_nothing()
    {
        const int Count = 400;
        using ExpectationWatcher watcher = new(_ns.Namespace, [ConntrackEventType.New]);
        Expect(Count);
        List<ConntrackExpectationEvent> events = [];
        Assert.True(Wait.Until(() =>
        {
            events.AddRange(watcher.Take(TimeSpan.FromMilliseconds(20)));
            return events.Count == Count;
        }), $"{events.Count} events came");
        Assert.All(events, happened => Assert.Equal(ConntrackEventType.New, happened.EventType));
    }

    [Fact]
    public void A_namespace_that_is_deleted_ends_it_after_its_last_events()
    {
        NetworkNamespaceFixture ns = new();
        using ExpectationWatcher watcher = new(ns.Namespace, [ConntrackEventType.New]);
        ns.Dispose();
        Assert.Equal(ns.Name, Assert.Throws<NetworkNamespaceException>(() => watcher.Take(TimeSpan.FromSeconds(20))).NetworkNamespace);
    }

    [Fact]
    public void Cancelling_ends_a_wait()
    {
        using ExpectationWatcher watcher = new(_ns.Namespace, [ConntrackEventType.New]);
        Exception? ending = null;
        Thread thread = new(() => ending = Record.Exception(() => watcher.Take(TimeSpan.FromHours(1))));
        thread.Start();
        watcher.Cancel();
        Assert.True(Wait.For(thread));
        Assert.IsType<OperationCanceledException>(ending);
    }

    private void Expect(int count)
    {
        ConntrackEntry[] masters = [.. Enumerable.Range(1, count).Select(number => Make.FtpMaster(number))];
        TableFiller.Create(_ns, masters);
        using ExpectationCreator creator = new ExpectationTable(_ns.Namespace).CreateCreator();
        for (int i = 0; i < count; i++)
            creator.Create(Make.Data(masters[i], i + 1));
    }

    [Fact]
    public void Other_events_than_the_kernel_has_are_refused() =>
        Assert.Contains("New or Destroy", Assert.Throws<ArgumentException>(
            () => new ExpectationWatcher(_ns.Namespace, [ConntrackEventType.Update])).Message, StringComparison.Ordinal);
}
