using ConntrackPS.Events;
using ConntrackPS.Events.Receiving;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Events.Receiving;

/// <summary>The order of a receiver's notes.</summary>
public sealed class EventReceiverTests : IDisposable
{
    private static readonly TimeSpan WaitTimeout = TimeSpan.FromSeconds(20);

    private readonly NetworkNamespaceFixture _ns = new();

    public EventReceiverTests() => _ns.SetConntrackSetting("nf_conntrack_events", 1);

    public void Dispose() => _ns.Dispose();

    /// <summary>The socket is full when the fence is requested. Everything in it, and the number of dropped events, come before the fence,
    /// and nothing else.</summary>
    [Fact]
    public void A_fence_stands_behind_all_that_was_queued_or_dropped_when_it_was_asked_for()
    {
        const int Count = 500;
        using EventBacklog backlog = new(1 << 20);
        using Listener receiver = Listen(backlog, receiveBufferSize: 65536);
        TableFiller.Fill(_ns, Count);
        receiver.RequestFence(1);
        receiver.Start();
        (int received, uint lost) = ReadUpTo(backlog, fence: 1);
        Assert.True(lost > 0);
        Assert.Equal(Count, received + lost);
        _ns.Table.Clear();
        receiver.RequestFence(2);
        (received, lost) = ReadUpTo(backlog, fence: 2);
        Assert.Equal(Count, received + lost);
    }

    [Fact]
    public void A_fence_comes_though_nothing_happens()
    {
        using EventBacklog backlog = new(1 << 20);
        using Listener receiver = Listen(backlog, receiveBufferSize: 65536);
        receiver.Start();
        for (int fence = 1; fence < 20; fence++)
        {
            receiver.RequestFence(fence);
            Assert.Equal((0, 0u), ReadUpTo(backlog, fence));
        }
    }

    /// <summary>While the backlog is full the receiver waits, and the kernel counts the events that do not fit in its buffer.</summary>
    [Fact]
    public void A_full_backlog_makes_it_wait_and_nothing_uncounted_is_lost()
    {
        // The kernel's buffer holds about 6,500 of these events: more than the backlog and less than all, whenever the thread runs.
        const int Count = 20_000;
        int told = 0;
        using EventBacklog backlog = new(65536);
        using Listener receiver = Listen(backlog, receiveBufferSize: 4 << 20, () => told++);
        receiver.Start();
        TableFiller.Fill(_ns, Count);
        Assert.True(Wait.Until(() => backlog.CountWhenFull > 0));
        receiver.RequestFence(1);
        (int received, uint lost) = ReadUpTo(backlog, fence: 1);
        Assert.True(lost > 0);
        Assert.Equal(Count, received + lost);
        Assert.True(told > 0);
    }

    /// <summary>One thread receives from several subscriptions, each with its own position.</summary>
    [Fact]
    public void Subscriptions_of_one_receiver_have_fences_of_their_own()
    {
        using NetworkNamespaceFixture other = new();
        other.SetConntrackSetting("nf_conntrack_events", 1);
        using EventBacklog backlog = new(1 << 20);
        using EventReceiver receiver = new(backlog);
        object first = "first", second = "second";
        EventChannel[] channels = [Channel(receiver, backlog, _ns, first), Channel(receiver, backlog, other, second)];
        foreach (EventChannel channel in channels)
            receiver.Join(channel);
        receiver.Start();
        TableFiller.Fill(_ns, 300);
        TableFiller.Fill(other, 200);
        channels[1].RequestFence(1);
        channels[0].RequestFence(1);
        Dictionary<object, int> received = new() { [first] = 0, [second] = 0 }, atFence = [];
        while (atFence.Count < 2)
        {
            BacklogItem item = backlog.Take(WaitTimeout) ?? throw new TimeoutException("no fence came");
            while (backlog.TryRead(item, out _))
                received[item.Source]++;
            if (item.Note is BacklogNote.Fence)
                atFence[item.Source] = received[item.Source];
        }

        Assert.Equal((300, 200), (atFence[first], atFence[second]));

        // If one leaves, the other continues.
        channels[0].Cancel();
        other.Table.Clear();
        channels[1].RequestFence(2);
        Assert.Equal((200, 0u), ReadUpTo(backlog, fence: 2));
    }

    private Listener Listen(EventBacklog backlog, int receiveBufferSize, Action? onFull = null)
    {
        EventReceiver receiver = new(backlog);
        EventChannel channel = Channel(receiver, backlog, _ns, this, receiveBufferSize, onFull);
        receiver.Join(channel);
        return new Listener(receiver, channel);
    }

    private static EventChannel Channel(
        EventReceiver receiver, EventBacklog backlog, NetworkNamespaceFixture ns, object source, int receiveBufferSize = 1 << 20, Action? onFull = null)
    {
        EventOptions options = new() { ReceiveBufferSize = receiveBufferSize, EventType = [ConntrackEventType.New, ConntrackEventType.Destroy] };
        return new EventChannel(receiver, ns.Namespace, new EventSubscription(ns.Namespace, options), backlog, source, onFull);
    }

    private static (int Received, uint Lost) ReadUpTo(EventBacklog backlog, int fence)
    {
        (int received, uint lost) = (0, 0);
        while (true)
        {
            BacklogItem item = backlog.Take(WaitTimeout) ?? throw new TimeoutException("no fence came");
            while (backlog.TryRead(item, out _))
                received++;
            if (item.Note is BacklogNote.Lost note)
                lost += note.Count;
            if (item.Note is BacklogNote.Fence reached)
            {
                Assert.Equal(fence, reached.Number);
                return (received, lost);
            }
        }
    }

    private sealed class Listener(EventReceiver receiver, EventChannel channel) : IDisposable
    {
        public void Start() => receiver.Start();

        public void RequestFence(int number) => channel.RequestFence(number);

        public void Dispose() => receiver.Dispose();
    }
}
