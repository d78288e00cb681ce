namespace ConntrackPS.Conntrack.Table;

/// <summary>Remembers what a dump has handed over, at 8 bytes an entry, so that a second one repeats nothing.</summary>
internal sealed class EmittedEntries
{
    private readonly List<ulong> _emitted = [];
    private HashSet<ulong>? _seen;

    /// <summary>From now on only entries that are new count.</summary>
    public void Repeat() => _seen = [.. _emitted];

    /// <summary>Takes note of an entry.</summary>
    /// <returns>False where it was handed over already.</returns>
    public bool Add(ConntrackEntry entry)
    {
        ulong fingerprint = EntryFingerprint.Of(entry);
        if (_seen is not null && !_seen.Add(fingerprint))
            return false;
        _emitted.Add(fingerprint);
        return true;
    }
}
