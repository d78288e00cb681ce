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
        IEnumerable<ConntrackSetting> settings, IEnumerable<ConntrackTimeout> timeouts, SystemRoot root)
    {
        foreach (ConntrackSetting setting in settings.Where(setting => setting.DiffersFromPersisted))
        {
            yield return new PersistedDifference(
                setting.Sysctl, Text(setting.Value), Text(setting.PersistedValue), setting.PersistedIn!,
                $"Set-ConntrackSetting -Name {setting.Name} -Value {Argument(setting.Value)} -PersistOnly{RootArgument(root)}");
        }

        // UDP-Lite's are UDP's again.
        foreach (ConntrackTimeout timeout in timeouts.Where(timeout => timeout.DiffersFromPersisted && timeout.Protocol != TimeoutProtocol.UdpLite))
        {
            string state = timeout.State is { } named ? $" -State {named}" : "";
            yield return new PersistedDifference(
                timeout.Sysctl!, Text(timeout.TimeoutSeconds), Text(timeout.PersistedSeconds), timeout.PersistedIn!,
                $"Set-ConntrackTimeout -Protocol {timeout.Protocol}{state} -TimeoutSeconds {Text(timeout.TimeoutSeconds)} -PersistOnly{RootArgument(root)}");
        }
    }

    /// <summary>Lines of our file that a later file overrules.</summary>
    public static IEnumerable<OverruledLine> Overruled(PersistedSettings persisted, SystemRoot root) =>
        from ours in persisted.In(root.SysctlFile)
        let winner = persisted.FindKey(ours.Key)
        where winner.File != ours.File && winner.Text != ours.Text
        select new OverruledLine(ours.Key, ours.Text, winner.Text, winner.File);

    private static string Argument(object value) => value is bool yes ? (yes ? "$true" : "$false") : Text(value);

    private static string RootArgument(SystemRoot root) => root.IsRunning ? "" : " -PersistRoot " + Remedies.Quote(root.Path);

    private static string Text(object? value) => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
}
