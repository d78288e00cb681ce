namespace ConntrackPS.Conntrack.Table;

/// <summary>Takes the entries of a scan, one after another.</summary>
internal interface IEntrySink
{
    /// <summary>The object that the next entry is read into: a new one, or one that is used again and again.</summary>
    ConntrackEntry NextEntry();

    /// <summary>Takes the entry that was read, where it matches the filter.</summary>
    void Take(ConntrackEntry entry);

    /// <summary>The table was resized, and is read again from its beginning.</summary>
    void Restart();
}
