using ConntrackPS.Diagnosis;
using ConntrackPS.Events;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Events;

/// <summary>Reliable delivery of destroy events.</summary>
public sealed class EventReliabilityTests : IDisposable
{
    private const int Count = 500;

    private readonly NetworkNamespaceFixture _ns = new();

    public EventReliabilityTests() => _ns.SetConntrackSetting("nf_conntrack_events", 1);

    public void Dispose() => _ns.Dispose();

    [Fact]
    public void The_kernel_keeps_them_in_the_table_until_they_are_taken()
    {
        using EventSubscription subscription = Subscribe(isReliable: true);
        Assert.True(Drain(subscription, until: Count), "not all events came");
        Assert.True(Wait.Until(() => ConntrackStat.Read(_ns.Namespace).Count == 0));
    }

    [Fact]
    public void Without_that_they_are_lost_and_counted()
    {
        using EventSubscription subscription = Subscribe(isReliable: false);
        Assert.Equal(0, ConntrackStat.Read(_ns.Namespace).Count);
        int received = 0;
        subscription.ReadAll(_ => received++);
        Assert.InRange(received, 1, Count - 1);
        Assert.Equal((uint)(Count - received), subscription.TakeLosses());
    }

    [Fact]
    public void Giving_it_up_lets_the_table_go()
    {
        using EventSubscription subscription = Subscribe(isReliable: true);
        Assert.True(ConntrackStat.Read(_ns.Namespace).Count > Count / 2);
        subscription.SetReliable(false);
        Assert.True(Wait.Until(() => ConntrackStat.Read(_ns.Namespace).Count == 0), "the entries stay");
    }

    /// <summary>During reliable delivery each failed attempt of the kernel counted as a drop, but was not a loss. Events that it discarded
    /// after the switch are losses.</summary>
    [Fact]
    public void What_is_lost_when_it_is_given_up_is_counted_once()
    {
        using EventSubscription subscription = Subscribe(isReliable: true);
        subscription.SetReliable(false);
        Assert.True(Wait.Until(() => ConntrackStat.Read(_ns.Namespace).Count == 0), "the entries stay");
        int received = 0;
        subscription.ReadAll(_ => received++);
        Assert.InRange(received, 1, Count - 1);
        Assert.Equal(Count, received + (int)subscription.TakeLosses());
    }

    [Fact]
    public void A_stream_of_them_has_them_all_and_speaks_of_no_loss()
    {
        using EventStream stream = new(Options(isReliable: true), _ns.Namespace);
        FillAndClear();
        List<ConntrackEvent> events = [];
        Assert.True(Wait.Until(() =>
        {
            events.AddRange(stream.Take(TimeSpan.FromMilliseconds(20)));
            return events.Count >= Count;
        }), $"only {events.Count} of {Count} events came");
        Assert.All(events, happened => Assert.Equal(ConntrackEventType.Destroy, happened.EventType));
        Assert.Equal(Enumerable.Range(1, Count), events.Select(happened => (int)happened.Sequence));
    }

    /// <summary>The events of the stream are not taken, and the table appears nearly full.</summary>
    [Theory]
    [InlineData(89.9, false)]
    [InlineData(95.0, true)]
    public void A_stream_that_nobody_reads_gives_it_up_before_the_table_is_full(double fill, bool givesUp)
    {
        using ManualResetEventSlim asked = new();
        EventOptions options = Options(isReliable: true) with
        {
            BacklogSize = 65536,
            ReadFillPercent = _ =>
            {
                asked.Set();
                return fill;
            },
        };
        using EventStream stream = new(options, _ns.Namespace);
        for (int round = 0; round < 40 && !asked.IsSet; round++)
            FillAndClear();
        Assert.True(asked.Wait(TimeSpan.FromSeconds(20)), "the backlog never filled");
        if (givesUp)
        {
            Assert.True(Wait.Until(() => stream.GaveUpReliability));
            Assert.True(Wait.Until(() => ConntrackStat.Read(_ns.Namespace).Count == 0), "the entries stay");
        }
        else
        {
            Assert.False(stream.GaveUpReliability);
            Assert.True(ConntrackStat.Read(_ns.Namespace).Count > 0, "no entry waits");
        }
    }

    /// <summary>A buffer for a few events that is not read while all entries end.</summary>
    private EventSubscription Subscribe(bool isReliable)
    {
        EventSubscription subscription = new(_ns.Namespace, Options(isReliable));
        FillAndClear();
        return subscription;
    }

    private static EventOptions Options(bool isReliable) =>
        new() { ReceiveBufferSize = 4096, EventType = [ConntrackEventType.Destroy], IsReliable = isReliable };

    private void FillAndClear()
    {
        TableFiller.Fill(_ns, Count);
        _ns.Table.Clear();
    }

    private static bool Drain(EventSubscription subscription, int until)
    {
        int received = 0;
        return Wait.Until(() =>
        {
            subscription.ReadAll(_ => received++);
            return received == until;
        });
    }
}
