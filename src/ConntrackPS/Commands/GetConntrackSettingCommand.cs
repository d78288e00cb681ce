using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Tuning.Persistence;
using ConntrackPS.Tuning.Settings;

namespace ConntrackPS.Commands;

/// <summary>Shows the kernel's settings for connection tracking; timeouts have a cmdlet of their own.</summary>
[Cmdlet(VerbsCommon.Get, "ConntrackSetting")]
[OutputType(typeof(ConntrackSetting))]
public sealed class GetConntrackSettingCommand : ConntrackCommand
{
    /// <summary>The settings, with wildcards; all unless given. Names of sysctl are accepted too.</summary>
    [Parameter(Position = 0)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(SettingNameCompleter))]
    public string[]? Name { get; set; }

    /// <summary>The root of the system whose sysctl files are compared; the running one unless given.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string PersistRoot { get; set; } = "/";

    /// <inheritdoc/>
    protected override void EndProcessing() => RunInEach(networkNamespace =>
    {
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
