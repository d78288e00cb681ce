using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>However a reading ends, it leaves no resources behind, and memory does not grow while it runs.</summary>
[Collection(nameof(Alone))]
public sealed class ResourceTests : IDisposable
{
    private const int Count = 60_000;

    private readonly NetworkNamespaceFixture _ns = new();
    private readonly int _descriptors;
    private readonly int _threads;

    public ResourceTests()
    {
        TableFiller.Fill(_ns, Count);
        (_descriptors, _threads) = (ProcessState.CountDescriptors(), ProcessState.CountThreads());
    }

    public void Dispose() => _ns.Dispose();

    [Fact]
    public void A_stream_that_is_disposed_early_closes_its_socket_and_ends_its_thread()
    {
        for (int round = 0; round < 20; round++)
        {
            using EntryStream stream = _ns.Table.Open();
            foreach (IReadOnlyList<ConntrackEntry> batch in stream.Batches())
            {
                Assert.NotEmpty(batch);
                Assert.True(ProcessState.CountDescriptors() >= _descriptors + 2);
                break;
            }
        }

        AssertNothingIsLeft();
    }

    [Fact]
    public void A_stream_that_nobody_read_does_too()
    {
        for (int round = 0; round < 20; round++)
            _ns.Table.Open().Dispose();
        AssertNothingIsLeft();
    }

    [Fact]
    public void A_stream_that_was_cancelled_from_another_thread_does_too()
    {
        for (int round = 0; round < 20; round++)
        {
            using EntryStream stream = _ns.Table.Open();
            Thread cancelling = new(stream.Cancel);
            cancelling.Start();

            // It may have finished before Cancel.
            Exception? exception = Record.Exception(() => stream.Batches().Count());
            Assert.True(exception is null or OperationCanceledException, exception?.ToString());
            Assert.True(Wait.For(cancelling));
        }

        AssertNothingIsLeft();
    }

    [Fact]
    public void Reading_here_that_ends_early_closes_its_socket()
    {
        for (int round = 0; round < 20; round++)
            Assert.Equal(5, _ns.Table.Read().Take(5).Count());
        AssertNothingIsLeft();
    }

    [Fact]
    public void A_deleter_closes_its_socket()
    {
        for (int round = 0; round < 20; round++)
            _ns.Table.CreateDeleter().Dispose();
        AssertNothingIsLeft();
    }

    /// <summary>The queue holds 64 datagrams of about 150 entries: a sixth of this table.</summary>
    [Fact]
    public void A_slow_consumer_makes_the_reader_wait()
    {
        long whole = Allocated(() =>
        {
            using EntryStream stream = _ns.Table.Open();
            Assert.Equal(Count, stream.Batches().Sum(batch => batch.Count));
        });
        long ahead = Allocated(() =>
        {
            using EntryStream stream = _ns.Table.Open();
            long before = -1;
            int rests = 0;
            Assert.True(Wait.Until(() =>
            {
                // The reader waits when it no longer allocates memory. A busy machine may also delay it for a while.
                Thread.Sleep(200);
                long now = GC.GetTotalAllocatedBytes();
                rests = now - before < 100_000 ? rests + 1 : 0;
                before = now;
                return rests == 4;
            }));
            Assert.Equal(1, ProcessState.CountThreads() - _threads);
        });
        Assert.InRange(ahead, whole / 20, whole / 2);
    }

    private static long Allocated(Action action)
    {
        long before = GC.GetTotalAllocatedBytes();
        action();
        return GC.GetTotalAllocatedBytes() - before;
    }

    private void AssertNothingIsLeft()
    {
        Assert.True(Wait.Until(() => ProcessState.CountThreads() <= _threads), "A thread is left.");
        Assert.True(Wait.Until(() => ProcessState.CountDescriptors() <= _descriptors), "A descriptor is left.");
    }
}
