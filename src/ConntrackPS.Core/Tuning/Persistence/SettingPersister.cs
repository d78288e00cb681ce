using System.Globalization;
using ConntrackPS.Linux;

namespace ConntrackPS.Tuning.Persistence;

/// <summary>Writes the values for the next boot into our file in sysctl.d. Lines of others in it stay.</summary>
/// <param name="root">The system to write to.</param>
/// <param name="how">The command that writes it, for the first line of a new file.</param>
internal sealed class SettingPersister(SystemRoot root, string? how = null)
{
    private const string Module = "nf_conntrack";
    private const string Buckets = "nf_conntrack_buckets";

    private readonly List<string> _problems = [];

    /// <summary>Problems with reading files that name modules.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>Sets parameters from the next boot on.</summary>
    /// <param name="changes">Files below /proc/sys/net/netfilter, and their values. Null removes our line.</param>
    /// <returns>The changed files.</returns>
    /// <exception cref="PersistenceException">Nothing was changed on disk.</exception>
    public IReadOnlyList<string> Persist(params (string Name, Int128? Value)[] changes)
    {
        using RootFolder folder = OpenRoot();
        FileChanges files = new(root, folder);
        files.Add(SystemRoot.SysctlName, OwnFile.Edit(how, text => changes.Aggregate(text, Apply)));

        // So that the module loads with its hash table size, and need not resize it.
        if (changes.FirstOrDefault(change => change.Name == Buckets).Value is { } buckets)
            files.Add(SystemRoot.ModuleOptionsName, OwnFile.Edit(how, text => ModuleOptions.With(text, ModuleOptions.HashSize, buckets)));

        // Boot sets sysctls before netfilter rules load the module. The module's own would not exist yet, and would be skipped.
        if (root.IsModular && changes.Any(change => change.Value is not null) && !IsLoadedAtBoot(folder))
            files.Add(SystemRoot.ModuleLoadName, OwnFile.Edit(how, text => text.With([.. text.Lines, Module])));
        return files.Apply();
    }

    private static ConfigText Apply(ConfigText text, (string Name, Int128? Value) change)
    {
        string key = SysctlKey.Of(change.Name);
        List<string> result = [];
        int? place = null;
        foreach (string line in text.Lines)
        {
            if (SysctlLine.Parse(line)?.Key == key)
            {
                place ??= result.Count;
                continue;
            }

            // Our line comes after a line that some programs also treat as an assignment, so it takes effect in all of them.
            result.Add(line);
            if (SysctlLine.Hidden(line).Any(hidden => hidden.Key == key))
                place = result.Count;
        }

        if (change.Value is { } value)
            result.Insert(place ?? result.Count, new SysctlLine(key, value.ToString(CultureInfo.InvariantCulture)).ToString());
        return text.With(result);
    }

    private RootFolder OpenRoot()
    {
        Platform.RequireLinux();
        try
        {
            Directory.CreateDirectory(root.Path);
            return RootFolder.TryOpen(root.Path) ?? throw new IOException($"{root.Path} is gone");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new PersistenceException(root.SysctlFile, exception);
        }
    }

    private bool IsLoadedAtBoot(RootFolder folder)
    {
        BootModules modules = BootModules.Read(root, folder);
        _problems.AddRange(modules.Problems);
        return modules.Ours.Contains(Module) || modules.Others.Contains(Module);
    }
}

/// <summary>A file that boot reads could not be written. It is unchanged.</summary>
/// <param name="file">The file.</param>
/// <param name="inner">The cause.</param>
internal sealed class PersistenceException(string file, Exception inner)
    : Exception($"{file} could not be written and is not changed: {inner.Message}.", inner)
{
    /// <summary>Some of the related files could not be restored.</summary>
    internal PersistenceException(string file, Exception inner, IReadOnlyList<string> left)
        : this(file, left.Count == 0 ? inner : new IOException($"{inner.Message}. Already written, and cannot be undone: {string.Join(", ", left)}", inner))
    {
    }

    /// <summary>The file.</summary>
    public string File { get; } = file;
}

/// <summary>Changes several related files: if one change fails, the earlier ones are undone.</summary>
internal sealed class FileChanges(SystemRoot root, RootFolder folder)
{
    private readonly List<(string Name, Func<ConfigText, ConfigText?> Edit)> _edits = [];
    private readonly List<(string Name, byte[]? Before, byte[]? After)> _done = [];

    /// <summary>Adds a change of a file's text, to be applied later. If the function returns null, the file is deleted.</summary>
    public void Add(string name, Func<ConfigText, ConfigText?> edit) => _edits.Add((name, edit));

    /// <summary>Applies the changes, after checking that each path is a regular file or does not exist.</summary>
    /// <returns>The changed files.</returns>
    /// <exception cref="PersistenceException">A file could not be written. Nothing was changed in any file.</exception>
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

    /// <summary>Unchanged text keeps its exact bytes, and a missing file stays missing.</summary>
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

    /// <summary>Only if our content is still there: later changes by others are kept.</summary>
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
