using ConntrackPS.Conntrack.Table;
using ConntrackPS.Events;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>A consumer who believes events: New and Existing add a connection, Destroy removes it. It takes its time, and
/// fails the test where it is told what it knows.</summary>
internal sealed class EventFollower
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);

    private readonly HashSet<EntryKey> _ended = [];

    /// <summary>What is there, by what was told.</summary>
    public HashSet<EntryKey> Live { get; } = [];

    /// <summary>How many events were said to be lost.</summary>
    public ulong Lost { get; private set; }

    /// <summary>Whether it knows what conntrack -L shows; ask again where not, since a list of conntrack's lacks entries when
    /// another test resizes the hash table meanwhile.</summary>
    public bool Knows(NetworkNamespaceFixture ns) =>
        ConntrackTool.ListXml(ns).Select(flow => flow.Id).Order().SequenceEqual(Live.Select(key => key.Id).Order());

    /// <returns>False where the condition held until patience was at its end.</returns>
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
            // One whose beginning was lost may end for the first time.
            Live.Remove(key);
            Assert.True(_ended.Add(key), $"ended already: {happened}");
        }
    }
}
