using ConntrackPS.Conntrack;
using ConntrackPS.Events;
using ConntrackPS.Expectations;
using ConntrackPS.Expectations.Events;
using ConntrackPS.Tests.Infrastructure;
using Make = ConntrackPS.Tests.Infrastructure.ExpectationSamples;

namespace ConntrackPS.Tests.Expectations;

public sealed class ExpectationWatcherTests : IDisposable
{
    private readonly NetworkNamespaceFixture _ns = new();

    public void Dispose() => _ns.Dispose();

    /// <summary>A buffer for a few events, and nobody who reads: what comes and what is said to be lost is all there was.</summary>
    [Fact]
    public void Every_lost_event_is_counted()
    {
        const int Count = 400;
        using ExpectationWatcher watcher = new(_ns.Namespace, [ConntrackEventType.New], receiveBufferSize: 4096);
        ConntrackEntry[] masters = [.. Enumerable.Range(1, Count).Select(number => Make.FtpMaster(number))];
        TableFiller.Create(_ns, masters);
        using (ExpectationCreator creator = new ExpectationTable(_ns.Namespace).CreateCreator())
        {
            for (int i = 0; i < Count; i++)
                creator.Create(Make.Data(masters[i], i + 1));
        }

        IReadOnlyList<ConntrackExpectationEvent> events = watcher.Take(TimeSpan.FromSeconds(20));
        ConntrackExpectationEvent lost = Assert.Single(events, happened => happened.EventType == ConntrackEventType.Lost);
        Assert.Equal((ulong)Count, lost.Sequence);
        Assert.Equal(Count, events.Count - 1 + (int)lost.LostCount!);
        Assert.Contains(events, happened => happened.EventType == ConntrackEventType.New);
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

    [Fact]
    public void Other_events_than_the_kernel_has_are_refused() =>
        Assert.Contains("New or Destroy", Assert.Throws<ArgumentException>(
            () => new ExpectationWatcher(_ns.Namespace, [ConntrackEventType.Update])).Message, StringComparison.Ordinal);
}
