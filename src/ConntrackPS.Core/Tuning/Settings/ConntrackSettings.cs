using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Tuning.Settings;

/// <summary>The settings of a network namespace.</summary>
/// <param name="networkNamespace">Which namespace; null for the caller's own.</param>
/// <param name="persisted">What the files of sysctl.d set; null where nobody wants to know.</param>
internal sealed class ConntrackSettings(NetworkNamespace? networkNamespace, PersistedSettings? persisted = null)
{
    /// <summary>Reads all settings that this kernel and namespace have.</summary>
    /// <exception cref="ConntrackUnavailableException">It has none.</exception>
    public IReadOnlyList<ConntrackSetting> Read() => NetworkNamespace.RunIn(networkNamespace, () =>
    {
        ConntrackSetting[] settings = [.. SettingCatalog.Present(null).Select(ReadHere).OfType<ConntrackSetting>()];
        return settings.Length > 0 ? settings : throw new ConntrackUnavailableException("This kernel has no connection tracking.");
    });

    /// <summary>Finds a setting by our name or the sysctl's.</summary>
    /// <exception cref="UnknownSettingException">This kernel has none of that name.</exception>
    public ConntrackSetting Find(string name)
    {
        IReadOnlyList<ConntrackSetting> present = Read();
        SettingDefinition? definition = SettingCatalog.Find(name, present.Select(setting => setting.Definition));
        return present.FirstOrDefault(setting => setting.Definition == definition)
            ?? throw new UnknownSettingException(name, [.. present.Select(setting => setting.Name)]);
    }

    /// <summary>Changes a setting.</summary>
    /// <exception cref="ReadOnlySettingException">This namespace can't change it.</exception>
    /// <exception cref="UnauthorizedAccessException">It needs CAP_NET_ADMIN.</exception>
    /// <exception cref="IOException">The kernel refused.</exception>
    public void Set(ConntrackSetting setting, long number) =>
        Sysctl.WriteNumber(Sysctl.Netfilter + setting.Definition.FileName, number, networkNamespace);

    private ConntrackSetting? ReadHere(SettingDefinition definition)
    {
        string path = Sysctl.Netfilter + definition.FileName;
        return Sysctl.ReadNumber(path) is { } number
            ? new ConntrackSetting(definition, number, Sysctl.IsWritable(path), persisted?.Find(definition.FileName), networkNamespace)
            : null;
    }
}
