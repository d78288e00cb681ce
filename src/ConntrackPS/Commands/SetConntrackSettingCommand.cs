using System.Management.Automation;
using ConntrackPS.Completion;
using ConntrackPS.Diagnosis;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;
using ConntrackPS.Tuning.Settings;

namespace ConntrackPS.Commands;

/// <summary>Changes a setting of the kernel's connection tracking, now and after the next boot.</summary>
[Cmdlet(VerbsCommon.Set, "ConntrackSetting", SupportsShouldProcess = true)]
[OutputType(typeof(ConntrackSetting))]
public sealed class SetConntrackSettingCommand : PersistingCommand
{
    private const string Maximum = "Maximum";
    private const string Buckets = "Buckets";

    /// <summary>The setting, such as Maximum; names of sysctl are accepted too.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(SettingNameCompleter))]
    public string Name { get; set; } = "";

    /// <summary>The new value: a number, a Boolean, or a word such as Auto or Tcp.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(SettingValueCompleter))]
    public object Value { get; set; } = "";

    /// <summary>With Maximum: as many buckets as entries, as the kernel chooses by itself.</summary>
    [Parameter]
    public SwitchParameter ScaleBucket { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => RunOne(Change, Name);

    private void Change()
    {
        NetworkNamespace? target = Target();
        RefusePersistenceIn(target);
        ConntrackSettings settings = new(target);
        ConntrackSetting setting = settings.Find(Name);
        if (ScaleBucket && setting.Name != Maximum)
        {
            WriteError(ErrorFactory.NothingToScale(setting.Name));
            return;
        }

        long number = SettingValue.Parse(setting.Definition, LanguagePrimitives.ConvertTo<string>(Value));
        List<(ConntrackSetting Setting, long Number)> changes = [(setting, number)];
        if (ScaleBucket)
            changes.Add((settings.Find(Buckets), number));
        string text = string.Join(", ", changes.Select(change => $"{change.Setting.Name} to {SettingValue.ToObject(change.Setting.Definition, change.Number)}"));
        Warn(setting, number);
        if (!ShouldProcess(target is null ? "connection tracking" : $"connection tracking in network namespace '{target}'", Describe("Set " + text)))
            return;
        if (!PersistOnly)
            changes.ForEach(change => settings.Set(change.Setting, change.Number));
        if (Persists)
            Keep([.. changes.Select(change => (change.Setting.Definition.FileName, (long?)change.Number))]);
        if (PassThru)
            changes.ForEach(change => WriteObject(new ConntrackSettings(target, PersistedSettings.Read(Root)).Find(change.Setting.Name)));
    }

    /// <summary>The maximum is one for all namespaces; any of them may be past it.</summary>
    private void Warn(ConntrackSetting setting, long number)
    {
        if (setting.Name != Maximum || PersistOnly)
            return;
        foreach (ConntrackStat stat in ConntrackStat.ReadAll().Where(stat => stat.Count > number))
        {
            string where = stat.Namespace is { } name ? $"The table of network namespace '{name}'" : "The table";
            WriteWarning($"{where} holds {stat.Count} entries, more than {number}: packets of new connections are dropped until it holds fewer.");
        }
    }
}
