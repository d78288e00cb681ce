using System.Globalization;
using ConntrackPS.Tuning.Persistence;
using ConntrackPS.Tuning.Settings;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>Finds values that the next boot will change, and persisted lines that another file overrides.</summary>
internal sealed class PersistenceRule : IHealthRule
{
    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        HealthFinding Warning(string name, string evidence, string explanation, params Remedy[] remedies) =>
            snapshot.Finding(FindingSeverity.Warning, name, evidence, explanation, remedies);

        // A file that cannot be read does not show which value is wanted, so the remedy lists the files that boot reads.
        IEnumerable<string> places = SystemRoot.SysctlDirectories.Append(SystemRoot.LastSysctlName);
        return
        [
            .. snapshot.Differences.Select(difference => Warning(
                "PersistedDiffers",
                $"{difference.Key} is {difference.Running} now, and {difference.Persisted} in {difference.File}.",
                "The next boot sets the value of the file. The remedy persists the current value.",
                [.. difference.Remedies])),
            .. snapshot.Overruled.Select(line => Warning(
                "PersistedElsewhere",
                $"{line.Key} is {line.Ours} in the file of ConntrackPS, and set again by {string.Join("; ", line.Later)}.",
                "If several lines set a value, the last one applies. The remedy comments out the later lines.",
                [.. line.Remedies])),
            .. snapshot.WithoutEffect.Select(line => Warning(
                "PersistedWithoutEffect",
                line,
                "Boot does not apply this line. Remove the line, and persist the value that you want.",
                new Remedy.ShowPersisted())),
            .. snapshot.Unread.Select(problem => Warning(
                "PersistedUnread",
                problem,
                "It is unknown which value the next boot sets. Boot may also hang at this file, or skip it.",
                new Remedy.ListFiles([.. places.Select(snapshot.Root.In)]))),
        ];
    }
}

/// <summary>Compares the files that the next boot reads with the current values, and with our file.</summary>
internal static class PersistedComparison
{
    /// <summary>Values that the next boot will change.</summary>
    public static IEnumerable<PersistedDifference> Differences(
        IEnumerable<ConntrackSetting> settings, IEnumerable<ConntrackTimeout> timeouts, PersistedSettings persisted, SystemRoot root)
    {
        RemedyScope atBoot = new(null, RemedyTime.AtBoot, root);
        foreach (ConntrackSetting setting in settings.Where(setting => setting.DiffersFromPersisted == true))
        {
            yield return new PersistedDifference(
                setting.Sysctl, Text(setting.Value), Text(setting.PersistedValue), setting.PersistedIn!,
                [.. Unhide(setting.Sysctl, persisted, root), new Remedy.SetSetting(setting.Name, setting.Value, atBoot)]);
        }

        // UDP-Lite uses the same timeouts as UDP.
        foreach (ConntrackTimeout timeout in timeouts.Where(timeout => timeout.DiffersFromPersisted == true && timeout.Protocol != TimeoutProtocol.UdpLite))
        {
            yield return new PersistedDifference(
                timeout.Sysctl!, Text(timeout.TimeoutSeconds), Text(timeout.PersistedText), timeout.PersistedIn!,
                [.. Unhide(timeout.Sysctl!, persisted, root), new Remedy.SetTimeout(timeout.Protocol, timeout.State, timeout.TimeoutSeconds, atBoot)]);
        }
    }

    /// <summary>Lines of our file that a later file overrides.</summary>
    public static IEnumerable<OverruledLine> Overruled(PersistedSettings persisted, SystemRoot root) =>
        from ours in persisted.In(root.SysctlFile)
        let later = persisted.After(ours.Key, root.SysctlFile)
        where later.Count > 0
        select new OverruledLine(ours.Key, ours.Text, later, TakeOut(later, persisted));

    /// <summary>The age of our file, for each parameter that it sets to the current value.</summary>
    public static IReadOnlyDictionary<string, TimeSpan> Ages(IEnumerable<ConntrackSetting> settings, SystemRoot root)
    {
        PersistedSettings persisted = PersistedSettings.Read(root);
        if (persisted.Written(root.SysctlFile) is not { } written)
            return new Dictionary<string, TimeSpan>();
        TimeSpan age = DateTime.UtcNow - written;
        return settings
            .Where(setting => persisted.Find(setting.Definition.FileName) is { } value && value.File == root.SysctlFile && value.Number == setting.Number)
            .ToDictionary(setting => setting.Definition.FileName, _ => age);
    }

    /// <summary>Lines that are read after our file would override it again.</summary>
    private static IReadOnlyList<Remedy> Unhide(string key, PersistedSettings persisted, SystemRoot root) =>
        TakeOut(persisted.BehindOurs(key, root.SysctlFile), persisted);

    private static IReadOnlyList<Remedy> TakeOut(IEnumerable<PersistedValue> lines, PersistedSettings persisted) =>
    [
        .. lines.Select(line => line.Readers == BootReaders.Modprobe
            ? (Remedy)new Remedy.CommentOutHashSize(persisted.PathOf(line.File))
            : new Remedy.CommentOut(persisted.PathOf(line.File), line.Key)).Distinct(),
    ];

    private static string Text(object? value) => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
}

/// <summary>A value that the next boot will change.</summary>
/// <param name="Key">The parameter, in the form of sysctl(8).</param>
/// <param name="Running">The current value.</param>
/// <param name="Persisted">Its value after the next boot.</param>
/// <param name="File">The file that sets it.</param>
/// <param name="Remedies">The remedies that persist the current value.</param>
internal sealed record PersistedDifference(string Key, string Running, string Persisted, string File, IReadOnlyList<Remedy> Remedies);

/// <summary>A line of our file in sysctl.d that later lines override, for at least one of the programs that read it.</summary>
/// <param name="Key">The parameter, in the form of sysctl(8).</param>
/// <param name="Ours">Its value in our file.</param>
/// <param name="Later">The lines that set it later, in order.</param>
/// <param name="Remedies">The remedies that remove those lines.</param>
internal sealed record OverruledLine(string Key, string Ours, IReadOnlyList<PersistedValue> Later, IReadOnlyList<Remedy> Remedies);
