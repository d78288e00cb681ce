using ConntrackPS.Conntrack.Table;
using ConntrackPS.Events;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>A consumer that applies events: New and Existing add a connection, Destroy removes it. It is slow, and fails the test if it
/// receives something that it already knows.</summary>
internal sealed class EventFollower
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);

    private readonly HashSet<EntryKey> _ended = [];

    /// <summary>The existing connections, according to the events.</summary>
    public HashSet<EntryKey> Live { get; } = [];

    /// <summary>The number of events reported as lost.</summary>
    public ulong Lost { get; private set; }

    /// <summary>True if it knows what conntrack -L shows. If false, ask again: a listing of conntrack lacks entries if another test resizes
    /// the hash table meanwhile.</summary>
    public bool Knows(NetworkNamespaceFixture ns) =>
        ConntrackTool.ListXml(ns).Select(flow => flow.Id).Order().SequenceEqual(Live.Select(key => key.Id).Order());

    /// <returns>False if the condition still held at the timeout.</returns>
    public bool TakeWhile(EventStream stream, Func<bool> condition)
    {
        for (DateTime end = DateTime.UtcNow + TimeSpan.FromSeconds(40); condition();)
        {
            if (DateTime.UtcNow > end)
                return false;
            TakeFor(stream, batches: 1);
        }

        return true;
    }

    public void TakeFor(EventStream stream, int batches)
    {
        for (int i = 0; i < batches; i++)
        {
            foreach (ConntrackEvent happened in stream.Take(Look))
                Follow(happened);
            Thread.Sleep(1);
        }
    }

    private void Follow(ConntrackEvent happened)
    {
        Lost += happened.LostCount ?? 0;
        EntryKey key = EntryKey.Of(happened);
        if (happened.EventType is ConntrackEventType.New or ConntrackEventType.Existing)
        {
            Assert.True(Live.Add(key), $"known already: {happened}");
            _ended.Remove(key);
        }
        else if (happened.EventType == ConntrackEventType.Destroy)
        {
            // If its New event was lost, this end may be the first event.
            Live.Remove(key);
            Assert.True(_ended.Add(key), $"ended already: {happened}");
        }
    }
}
