using System.Globalization;
using ConntrackPS.Tuning.Persistence;
using ConntrackPS.Tuning.Settings;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>Where the files that the next boot reads say something else than now, or than our file among them.</summary>
internal static class PersistedComparison
{
    /// <summary>Values that the next boot will set otherwise.</summary>
    public static IEnumerable<PersistedDifference> Differences(
        IEnumerable<ConntrackSetting> settings, IEnumerable<ConntrackTimeout> timeouts, PersistedSettings persisted, SystemRoot root)
    {
        RemedyScope atBoot = new(null, RemedyTime.AtBoot, root);
        foreach (ConntrackSetting setting in settings.Where(setting => setting.DiffersFromPersisted))
        {
            yield return new PersistedDifference(
                setting.Sysctl, Text(setting.Value), Text(setting.PersistedValue), setting.PersistedIn!,
                [.. Unhide(setting.Sysctl, persisted, root), new Remedy.SetSetting(setting.Name, setting.Value, atBoot)]);
        }

        // UDP-Lite's are UDP's again.
        foreach (ConntrackTimeout timeout in timeouts.Where(timeout => timeout.DiffersFromPersisted && timeout.Protocol != TimeoutProtocol.UdpLite))
        {
            yield return new PersistedDifference(
                timeout.Sysctl!, Text(timeout.TimeoutSeconds), Text(timeout.PersistedText), timeout.PersistedIn!,
                [.. Unhide(timeout.Sysctl!, persisted, root), new Remedy.SetTimeout(timeout.Protocol, timeout.State, timeout.TimeoutSeconds, atBoot)]);
        }
    }

    /// <summary>Lines of our file that a later file overrules.</summary>
    public static IEnumerable<OverruledLine> Overruled(PersistedSettings persisted, SystemRoot root) =>
        from ours in persisted.In(root.SysctlFile)
        let later = persisted.After(ours.Key, root.SysctlFile)
        where later.Count > 0
        select new OverruledLine(ours.Key, ours.Text, later, TakeOut(later, persisted));

    /// <summary>How long ago our file was written, for the parameters that it sets to what they are now.</summary>
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

    /// <summary>Lines that are read after our file would win again.</summary>
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
