using ConntrackPS.Linux;

namespace ConntrackPS.Tuning.Persistence;

/// <summary>A file of ours that boot reads. It begins with a line that says who wrote it. Lines of others in it stay.</summary>
internal static class OwnFile
{
    private const string HeaderStart = "# Written by ConntrackPS";
    private const string HeaderEnd = ". Other lines are kept.";

    /// <summary>Completes a change for <see cref="FileChanges.Add"/>: a new file gets the first line. A file that has nothing else is
    /// deleted.</summary>
    /// <param name="how">The command that writes, for the first line. Null for none.</param>
    /// <param name="edit">The change of the other lines.</param>
    public static Func<ConfigText, ConfigText?> Edit(string? how, Func<ConfigText, ConfigText> edit) => text => WithHeader(text, edit(text), how);

    /// <summary>Our file is deleted if it becomes empty. An empty file of another program may be intentional.</summary>
    private static ConfigText? WithHeader(ConfigText before, ConfigText after, string? how)
    {
        if (after.Lines.Any(IsHeader))
            return after.Lines.All(line => IsHeader(line) || string.IsNullOrWhiteSpace(line)) ? null : after;
        return after.Lines.Count == 0 || after.Lines.SequenceEqual(before.Lines) ? after : after.With([HeaderStart + (how is null ? "" : $" ({how})") + HeaderEnd, .. after.Lines]);
    }

    private static bool IsHeader(string line) => ConfigText.Content(line) is { } content
        && content.StartsWith(HeaderStart, StringComparison.Ordinal) && content.EndsWith(HeaderEnd, StringComparison.Ordinal);
}

/// <summary>The modules that boot loads (modules-load.d(5), and /etc/modules of Debian). Names have underscores.</summary>
/// <param name="Ours">Those that our file names.</param>
/// <param name="Others">Those that other files name.</param>
/// <param name="Problems">The files that could not be read, one sentence each.</param>
internal sealed record BootModules(IReadOnlySet<string> Ours, IReadOnlySet<string> Others, IReadOnlyList<string> Problems)
{
    /// <summary>Reads the files.</summary>
    public static BootModules Read(SystemRoot root, RootFolder folder)
    {
        BootFiles files = new(root, folder);
        string own = root.In(SystemRoot.ModuleLoadName);
        ILookup<bool, string> names = files.InOrder(SystemRoot.ModuleLoadDirectories).Append(files.Read(SystemRoot.ModulesName)).OfType<BootFile>()
            .SelectMany(file => file.Text.Lines.Select(OfLine).OfType<string>().Select(module => (IsOurs: file.Name == own, Module: module)))
            .ToLookup(pair => pair.IsOurs, pair => pair.Module);
        return new BootModules(names[true].ToHashSet(), names[false].ToHashSet(), files.Problems);
    }

    /// <summary>The module that a line names. Null for comments and blank lines.</summary>
    public static string? OfLine(string line) =>
        line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is [{ } name, ..] && name[0] is not ('#' or ';') ? ModuleOptions.Normalize(name) : null;
}
