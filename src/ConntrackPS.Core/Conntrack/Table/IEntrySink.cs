namespace ConntrackPS.Conntrack.Table;

/// <summary>Takes the entries of a scan, one after another.</summary>
internal interface IEntrySink
{
    /// <summary>The object that the next entry is read into: a new one, or one that is used again and again.</summary>
    ConntrackEntry NextEntry();

    /// <summary>Takes the entry that was read, where it matches the filter.</summary>
    void Take(ConntrackEntry entry);

    /// <summary>Whether what is read of a table that was resized is of use, with some missing and some twice. If so it is
    /// read to its end before it is read again: in a storm of resizes no reading would get far else, and all would show the
    /// same. If not it is read again at once, and only what the last attempt shows is taken as it is.</summary>
    bool TakesSpoilt { get; }

    /// <summary>The table was resized: what was taken may come again, or will, when the table is read from its beginning.
    /// </summary>
    void Restart();
}
