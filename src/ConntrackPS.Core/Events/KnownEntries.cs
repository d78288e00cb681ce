using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Events;

/// <summary>The connections that a watcher knows to exist, so that after a loss a fresh table shows what was missed.</summary>
internal sealed class KnownEntries
{
    private readonly HashSet<EntryKey> _derivedEnds = [];
    private Dictionary<EntryKey, ConntrackEntry> _known = [];

    /// <summary>Takes note of an event.</summary>
    /// <returns>False where it tells nothing new: it was derived from a table already.</returns>
    public bool Note(ConntrackEvent happened)
    {
        EntryKey key = EntryKey.Of(happened);
        switch (happened.EventType)
        {
            case ConntrackEventType.Destroy:
                return _known.Remove(key) || !_derivedEnds.Remove(key);
            case ConntrackEventType.New:
                return _known.TryAdd(key, happened);
            default:
                _known[key] = happened;
                return true;
        }
    }

    /// <summary>Compares with the table as it is now, which becomes what is known.</summary>
    /// <returns>The changes: entries that are new, and entries that are gone.</returns>
    public (List<ConntrackEntry> Appeared, List<ConntrackEntry> Vanished) Compare(IEnumerable<ConntrackEntry> present)
    {
        Dictionary<EntryKey, ConntrackEntry> now = [];
        List<ConntrackEntry> appeared = [];
        foreach (ConntrackEntry entry in present)
        {
            EntryKey key = EntryKey.Of(entry);
            if (now.TryAdd(key, entry) && !_known.Remove(key))
                appeared.Add(entry);
        }

        List<ConntrackEntry> vanished = [.. _known.Values];
        _derivedEnds.Clear();
        _derivedEnds.UnionWith(_known.Keys);
        _known = now;
        return (appeared, vanished);
    }
}
