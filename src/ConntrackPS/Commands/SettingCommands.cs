using System.Globalization;
using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;
using ConntrackPS.Tuning.Settings;

namespace ConntrackPS.Commands;

/// <summary>Shows the kernel's settings for connection tracking. For timeouts, use Get-ConntrackTimeout.</summary>
[Cmdlet(VerbsCommon.Get, "ConntrackSetting")]
[OutputType(typeof(ConntrackSetting))]
public sealed class GetConntrackSettingCommand : TuningCommand
{
    /// <summary>The names of the settings, or sysctl names, with wildcards. The default is all.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(SettingNameCompleter))]
    public string[]? Name { get; set; }

    /// <summary>The root folder of the system whose sysctl files are compared. The default is the running system.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string PersistRoot { get; set; } = "/";

    /// <inheritdoc/>
    protected override void ProcessRecord() => RunInEach(named =>
    {
        NetworkNamespace? networkNamespace = named ?? Target();
        PersistedSettings? persisted = ReadPersisted(PersistRoot, networkNamespace);
        ConntrackSettings settings = new(networkNamespace, persisted);
        Lazy<IReadOnlyList<ConntrackSetting>> present = new(() => settings.Read(TellUnreadable));
        foreach (string name in Name ?? ["*"])
        {
            RunOne(
                () =>
                {
                    if (NamePattern.TryParse(name, WildcardOptions.IgnoreCase, out WildcardPattern pattern))
                        Emit(present.Value, pattern);
                    else
                        WriteObject(settings.Find(name));
                },
                name);
        }
    });

    private void Emit(IEnumerable<ConntrackSetting> present, WildcardPattern pattern)
    {
        foreach (ConntrackSetting setting in present)
        {
            if (pattern.IsMatch(setting.Name))
                WriteObject(setting);
        }
    }
}

/// <summary>Changes a setting of the kernel's connection tracking, now and after the next boot.</summary>
[Cmdlet(VerbsCommon.Set, "ConntrackSetting", SupportsShouldProcess = true)]
[OutputType(typeof(ConntrackSetting))]
public sealed class SetConntrackSettingCommand : PersistingCommand
{
    private const string Maximum = "Maximum";
    private const string Buckets = "Buckets";

    /// <summary>The name of the setting, such as Maximum, or its sysctl name.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(SettingNameCompleter))]
    public string Name { get; set; } = "";

    /// <summary>The new value: a number, a Boolean, or a word such as Auto or Tcp.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(SettingValueCompleter))]
    public object Value { get; set; } = "";

    /// <summary>With Maximum: also sets the number of buckets to the same value, which is the kernel's own default ratio.</summary>
    [Parameter]
    public SwitchParameter ScaleBucket { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => RunOne(Change, Name);

    private void Change()
    {
        NetworkNamespace? target = Target();
        RefusePersistenceIn(target);
        ConntrackSettings settings = new(target);
        List<(ConntrackSetting Setting, Int128 Number)> changes = Changes(settings);
        if (ScaleBucket && changes is [(var other, _)])
        {
            WriteError(ErrorFactory.NothingToScale(other.Name));
            return;
        }

        if (!PersistOnly)
            changes.ForEach(change => change.Setting.RequireWritable());
        string text = string.Join(", ", changes.Select(change => $"{change.Setting.Name} to {SettingValue.ToObject(change.Setting.Definition, change.Number)}"));
        Warn(changes[0].Setting, changes[0].Number);
        if (!ShouldProcess("connection tracking" + Within(target), Describe("Set " + text)))
            return;

        // Buckets are set before the maximum: if there is no memory for them, nothing has changed yet.
        if (!PersistOnly)
            Enumerable.Reverse(changes).ToList().ForEach(change => settings.Set(change.Setting, change.Number));
        if (Persists)
            WriteFiles([.. changes.Select(change => (change.Setting.Definition.FileName, (Int128?)change.Number))]);
        if (PassThru)
            changes.ForEach(change => WriteObject(new ConntrackSettings(target, ReadAgain(target)).Find(change.Setting.Name)));
    }

    /// <summary>The setting, and with -ScaleBucket the same number of buckets.</summary>
    private List<(ConntrackSetting Setting, Int128 Number)> Changes(ConntrackSettings settings)
    {
        ConntrackSetting setting = settings.Find(Name);
        return ScaleBucket && setting.Name == Maximum ? [Parse(setting), Parse(settings.Find(Buckets))] : [Parse(setting)];
    }

    private (ConntrackSetting Setting, Int128 Number) Parse(ConntrackSetting setting) => (setting, SettingValue.Parse(setting.Definition, Text()));

    /// <summary>The typed text, or the value of a number: PowerShell reads 1MB and 1e6 as numbers.</summary>
    private string Text() => PSObject.AsPSObject(Value).BaseObject is IFormattable number and (int or uint or long or ulong or double or decimal)
        ? number.ToString("0.###", CultureInfo.InvariantCulture)
        : LanguagePrimitives.ConvertTo<string>(Value);

    /// <summary>Warns about each table that has more entries than the new maximum, which applies to all namespaces.</summary>
    private void Warn(ConntrackSetting setting, Int128 number)
    {
        if (setting.Name != Maximum || PersistOnly)
            return;
        foreach (ConntrackStat stat in ConntrackStat.ReadAll().Where(stat => stat.Count > number))
        {
            string where = stat.Namespace is { } name ? $"The table of network namespace '{name}'" : "The table";
            WriteWarning($"{where} has {Counted.Entries(stat.Count ?? 0)}, more than {number}. The kernel drops packets of new connections until it has fewer.");
        }
    }
}
