namespace ConntrackPS.Tuning.Persistence;

/// <summary>Changes to several files that belong together: when one fails, those before it are undone.</summary>
internal sealed class FileChanges
{
    private readonly List<(string File, IReadOnlyList<string>? Before)> _done = [];

    /// <summary>The files that have changed.</summary>
    public IReadOnlyList<string> Changed => [.. _done.Select(change => change.File)];

    /// <exception cref="PersistenceException">The file could not be written; nothing has changed in any.</exception>
    public void Edit(string file, Func<IReadOnlyList<string>, IReadOnlyList<string>?> edit)
    {
        IReadOnlyList<string>? before = null;
        bool existed = File.Exists(file);
        try
        {
            if (AtomicFile.Edit(file, lines => edit(before = lines)))
                _done.Add((file, existed ? before : null));
        }
        catch (PersistenceException)
        {
            foreach ((string changed, IReadOnlyList<string>? lines) in _done)
                AtomicFile.Edit(changed, _ => lines);
            throw;
        }
    }
}
