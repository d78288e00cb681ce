using ConntrackPS.Events;
using ConntrackPS.Events.Receiving;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Events.Receiving;

/// <summary>What a receiver says of its place.</summary>
public sealed class EventReceiverTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly NetworkNamespaceFixture _ns = new();

    public EventReceiverTests() => _ns.SetConntrackSetting("nf_conntrack_events", 1);

    public void Dispose() => _ns.Dispose();

    /// <summary>The socket is full when the fence is asked for: all that it held, and the number of what it could not hold,
    /// come before the fence, and no more.</summary>
    [Fact]
    public void A_fence_stands_behind_all_that_was_queued_or_dropped_when_it_was_asked_for()
    {
        const int Count = 500;
        using EventBacklog backlog = new(1 << 20);
        using EventReceiver receiver = Listen(backlog, receiveBufferSize: 65536);
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
        using EventReceiver receiver = Listen(backlog, receiveBufferSize: 65536);
        receiver.Start();
        for (int fence = 1; fence < 20; fence++)
        {
            receiver.RequestFence(fence);
            Assert.Equal((0, 0u), ReadUpTo(backlog, fence));
        }
    }

    /// <summary>While the backlog is full the receiver waits, and the kernel counts what its buffer can't hold.</summary>
    [Fact]
    public void A_full_backlog_makes_it_wait_and_nothing_uncounted_is_lost()
    {
        // The kernel holds some 6,500 of these events, more than the backlog and less than all, whenever the thread runs.
        const int Count = 20_000;
        int told = 0;
        using EventBacklog backlog = new(65536);
        using EventReceiver receiver = Listen(backlog, receiveBufferSize: 4 << 20, () => told++);
        receiver.Start();
        TableFiller.Fill(_ns, Count);
        Assert.True(Wait.Until(() => backlog.CountWhenFull > 0));
        receiver.RequestFence(1);
        (int received, uint lost) = ReadUpTo(backlog, fence: 1);
        Assert.True(lost > 0);
        Assert.Equal(Count, received + lost);
        Assert.True(told > 0);
    }

    private EventReceiver Listen(EventBacklog backlog, int receiveBufferSize, Action? onFull = null) => new(
        _ns.Namespace,
        new EventSubscription(_ns.Namespace, new EventOptions { ReceiveBufferSize = receiveBufferSize, EventType = [ConntrackEventType.New, ConntrackEventType.Destroy] }),
        backlog, this, onFull);

    private static (int Received, uint Lost) ReadUpTo(EventBacklog backlog, int fence)
    {
        (int received, uint lost) = (0, 0);
        while (true)
        {
            BacklogItem item = backlog.Take(Patience) ?? throw new TimeoutException("no fence came");
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
}
