using ConntrackPS.Events;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Events;

[Collection(nameof(Alone))]
public sealed class EventLeakTests
{
    private static readonly int Cycles = Exhaustive.Rounds(1_000, 10_000);
    private const int MemoryNoise = 16 << 20;

    [Fact]
    public void Starts_and_stops_leave_nothing()
    {
        using NetworkNamespaceFixture ns = new();
        StartAndStop(ns, 100);
        Assert.True(Wait.Until(() => ProcessState.CountThreads() == 0));
        int descriptors = ProcessState.CountDescriptors();
        long memory = GC.GetTotalMemory(forceFullCollection: true);
        StartAndStop(ns, Cycles);
        Assert.True(Wait.Until(() => ProcessState.CountThreads() == 0));
        Assert.Equal(descriptors, ProcessState.CountDescriptors());
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - memory, long.MinValue, MemoryNoise);
        Assert.Empty(EventListeners.ReadQueues(ns));
    }

    private static void StartAndStop(NetworkNamespaceFixture ns, int count)
    {
        for (int i = 0; i < count; i++)
        {
            using EventStream stream = new(new EventOptions { EnableEvents = i % 10 == 0 }, ns.Namespace);
            if (i % 3 == 0)
                stream.Take(TimeSpan.Zero);
            else if (i % 3 == 1)
                stream.Cancel();
        }
    }
}
