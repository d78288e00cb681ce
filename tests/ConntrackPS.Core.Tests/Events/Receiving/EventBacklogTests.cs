using System.Buffers.Binary;
using ConntrackPS.Events.Receiving;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Events.Receiving;

public sealed class EventBacklogTests
{
    private const int MiB = 1 << 20;
    private static readonly TimeSpan WaitTimeout = TimeSpan.FromSeconds(20);

    [Fact]
    public void What_went_in_comes_out_in_its_order_with_the_notes_in_their_places()
    {
        using EventBacklog backlog = new(8 * MiB);
        Thread writer = new(() =>
        {
            for (uint i = 0; i < 200_000; i++)
            {
                while (!backlog.TryAppend(this, Datagram(i)))
                    backlog.WaitForRoom(WaitTimeout);
                if (i % 1000 == 999)
                    backlog.Post(this, new BacklogNote.Lost(i));
                if (i % 10 == 0)
                    backlog.Signal();
            }

            backlog.Signal();
        });
        writer.Start();
        uint next = 0;
        while (next < 200_000 || backlog.Count > 0)
        {
            BacklogItem item = backlog.Take(WaitTimeout)!;
            if (item.Note is BacklogNote.Lost lost)
                Assert.Equal(next - 1, lost.Count);
            while (backlog.TryRead(item, out ReadOnlySpan<byte> datagram))
                Assert.Equal(next++, Number(datagram));
        }

        Assert.True(Wait.For(writer));
    }

    /// <summary>Many alternating sources, so that each datagram starts an item.</summary>
    [Fact]
    public void Small_items_count_too()
    {
        using EventBacklog backlog = new(2 * MiB);
        object[] sources = [new(), new()];
        long memory = GC.GetTotalMemory(forceFullCollection: true);
        uint appended = 0;
        while (backlog.TryAppend(sources[appended % 2], Datagram(appended)))
            appended++;
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - memory, 0, 4 * MiB);
        Assert.InRange(backlog.MemorySize, MiB, 2 * MiB);
        uint next = 0;
        while (backlog.Take(TimeSpan.Zero) is { } item)
        {
            Assert.Same(sources[next % 2], item.Source);
            while (backlog.TryRead(item, out ReadOnlySpan<byte> datagram))
                Assert.Equal(next++, Number(datagram));
        }

        Assert.Equal(appended, next);
    }

    [Fact]
    public void Room_is_waited_for_until_somebody_takes()
    {
        using EventBacklog backlog = new(MiB);
        uint appended = 0;
        while (backlog.TryAppend(this, Datagram(appended)))
            appended++;
        using ManualResetEventSlim done = new();
        Thread writer = new(() =>
        {
            while (!backlog.TryAppend(this, Datagram(appended)))
                backlog.WaitForRoom(WaitTimeout);
            backlog.Signal();
            done.Set();
        });
        writer.Start();
        Assert.Equal(appended + 1, Drain(backlog, done));
        Assert.True(Wait.For(writer));
    }

    /// <summary>Larger than a block, and than the whole limit.</summary>
    [Fact]
    public void A_datagram_of_any_size_finds_room_once_all_others_are_taken()
    {
        using EventBacklog backlog = new(65536);
        byte[] large = new byte[NetlinkProtocol.DatagramSize];
        for (int round = 0; round < 10; round++)
        {
            Assert.True(backlog.TryAppend(this, Datagram(1)));
            Assert.Equal(1u, Drain(backlog));
            Assert.True(backlog.TryAppend(this, large));
            Assert.Equal(1u, Drain(backlog));
        }

        using EventBacklog tiny = new(1);
        Assert.True(tiny.TryAppend(this, large));
        Assert.False(tiny.TryAppend(this, large));
        Assert.Equal(1u, Drain(tiny));
        Assert.True(tiny.TryAppend(this, large));
    }

    [Fact]
    public void Cancelling_ends_every_wait()
    {
        using EventBacklog backlog = new(MiB);
        Exception? taking = null;
        Thread taker = new(() => taking = Record.Exception(() => backlog.Take(TimeSpan.FromHours(1))));
        taker.Start();
        backlog.Cancel();
        Assert.True(Wait.For(taker));
        Assert.IsType<OperationCanceledException>(taking);
        Assert.Throws<OperationCanceledException>(() => backlog.TryAppend(this, Datagram(1)));
        backlog.WaitForRoom(TimeSpan.FromHours(1));
    }

    private static byte[] Datagram(uint number)
    {
        byte[] datagram = new byte[200];
        BinaryPrimitives.WriteUInt32LittleEndian(datagram.AsSpan(100), number);
        return datagram;
    }

    private static uint Number(ReadOnlySpan<byte> datagram) => BinaryPrimitives.ReadUInt32LittleEndian(datagram[100..]);

    private static uint Drain(EventBacklog backlog, ManualResetEventSlim? until = null)
    {
        uint count = 0;
        for (bool last = false; ;)
        {
            while (backlog.Take(TimeSpan.FromMilliseconds(until is null ? 0 : 20)) is { } item)
            {
                while (backlog.TryRead(item, out _))
                    count++;
            }

            if (last || until is null)
                return count;
            last = until.IsSet;
        }
    }
}
