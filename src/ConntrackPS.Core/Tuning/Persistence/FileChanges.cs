using ConntrackPS.Linux;

namespace ConntrackPS.Tuning.Persistence;

/// <summary>Changes to several files that belong together: when one fails, those before it are undone.</summary>
internal sealed class FileChanges(SystemRoot root, RootFolder folder)
{
    private readonly List<(string Name, Func<ConfigText, ConfigText?> Edit)> _edits = [];
    private readonly List<(string Name, byte[]? Before, byte[]? After)> _done = [];

    /// <summary>Adds a change of a file's text, to be made later; null from the function stands for no file.</summary>
    public void Add(string name, Func<ConfigText, ConfigText?> edit) => _edits.Add((name, edit));

    /// <summary>Makes the changes, once it is known that there is a file, or none, for each of them.</summary>
    /// <returns>The files that have changed.</returns>
    /// <exception cref="PersistenceException">A file could not be written; nothing has changed in any.</exception>
    public IReadOnlyList<string> Apply()
    {
        foreach ((string name, _) in _edits)
            Try(name, () => AtomicFile.Check(folder, name));
        foreach ((string name, Func<ConfigText, ConfigText?> edit) in _edits)
            Try(name, () => Make(name, edit));
        return [.. _done.Select(change => root.In(change.Name))];
    }

    private void Make(string name, Func<ConfigText, ConfigText?> edit)
    {
        byte[]? before = null, after = null;
        if (AtomicFile.Edit(folder, name, bytes => after = Edit(before = bytes, edit)))
            _done.Add((name, before, after));
    }

    /// <summary>What stays as it is stays byte for byte, and no file stays none.</summary>
    private static byte[]? Edit(byte[]? bytes, Func<ConfigText, ConfigText?> edit)
    {
        ConfigText text = ConfigText.Parse(bytes);
        ConfigText? edited = edit(text);
        return edited?.Lines.SequenceEqual(text.Lines) == true ? bytes : edited?.ToBytes();
    }

    private void Try(string name, Action action)
    {
        try
        {
            action();
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
