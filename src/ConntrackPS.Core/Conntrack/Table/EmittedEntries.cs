namespace ConntrackPS.Conntrack.Table;

/// <summary>Remembers what a dump has handed over, at 8 bytes an entry, so that nothing comes twice when it is repeated.
/// </summary>
internal sealed class EmittedEntries
{
    private List<ulong> _emitted = [];
    private HashSet<ulong>? _seen;

    /// <summary>From now on only entries that are new count.</summary>
    public void Repeat()
    {
        if (_seen is not null)
            return;
        _seen = [.. _emitted];
        _emitted = [];
    }

    /// <summary>Takes note of an entry.</summary>
    /// <returns>False where it was handed over already.</returns>
    public bool Add(ConntrackEntry entry)
    {
        ulong fingerprint = EntryFingerprint.Of(entry);
        if (_seen is not null)
            return _seen.Add(fingerprint);
        _emitted.Add(fingerprint);
        return true;
    }
}
