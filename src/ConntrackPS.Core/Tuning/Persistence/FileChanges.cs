using ConntrackPS.Linux;

namespace ConntrackPS.Tuning.Persistence;

/// <summary>Changes to several files that belong together: when one fails, those before it are undone.</summary>
internal sealed class FileChanges(SystemRoot root, RootFolder folder)
{
    private readonly List<(string Name, byte[]? Before, byte[]? After)> _done = [];

    /// <summary>The files that have changed.</summary>
    public IReadOnlyList<string> Changed => [.. _done.Select(change => root.In(change.Name))];

    /// <summary>Changes the text of a file; null for no file, before or after.</summary>
    /// <exception cref="PersistenceException">The file could not be written; nothing has changed in any.</exception>
    public void Edit(string name, Func<ConfigText, ConfigText?> edit)
    {
        byte[]? before = null, after = null;
        try
        {
            if (AtomicFile.Edit(folder, name, bytes => after = edit(ConfigText.Parse(before = bytes))?.ToBytes()))
                _done.Add((name, before, after));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            string[] left = [.. Enumerable.Reverse(_done).Where(change => !TryUndo(change)).Select(change => root.In(change.Name))];
            throw new PersistenceException(root.In(name), exception, left);
        }
    }

    /// <summary>Only where what we wrote is still there: what others have written since is theirs.</summary>
    private bool TryUndo((string Name, byte[]? Before, byte[]? After) change)
    {
        try
        {
            bool isOurs = true;
            AtomicFile.Edit(folder, change.Name, present =>
            {
                isOurs = present.AsSpan().SequenceEqual(change.After) && present is null == change.After is null;
                return isOurs ? change.Before : present;
            });
            return isOurs;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
