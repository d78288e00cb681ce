using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Tuning.Settings;

/// <summary>The settings of a network namespace.</summary>
/// <param name="networkNamespace">Which namespace; null for the caller's own.</param>
/// <param name="persisted">What the files of sysctl.d set; null to leave them out.</param>
internal sealed class ConntrackSettings(NetworkNamespace? networkNamespace, PersistedSettings? persisted = null)
{
    /// <summary>Reads all settings that this kernel and namespace have.</summary>
    /// <param name="tell">Is told of each that can't be read, and the others follow; null to end with the first.</param>
    /// <exception cref="ConntrackUnavailableException">It has none.</exception>
    /// <exception cref="UnreadableSettingException">One has no value that can be used, and <paramref name="tell"/> is null.</exception>
    public IReadOnlyList<ConntrackSetting> Read(Action<UnreadableSettingException>? tell = null) => NetworkNamespace.RunIn(networkNamespace, IReadOnlyList<ConntrackSetting> () =>
    {
        IReadOnlyList<SettingDefinition> present = SettingCatalog.Present(null);
        return present.Count > 0
            ? [.. present.Select(definition => Sysctl.TryRead(() => ReadHere(definition), tell)).OfType<ConntrackSetting>()]
            : throw new ConntrackUnavailableException("This kernel has no connection tracking.");
    });

    /// <summary>Finds a setting by our name or the sysctl's.</summary>
    /// <exception cref="UnknownSettingException">This kernel has none of that name.</exception>
    public ConntrackSetting Find(string name)
    {
        // One that can't be read is no reason to refuse another.
        IReadOnlyList<SettingDefinition> present = SettingCatalog.Present(networkNamespace);
        if (present.Count == 0)
            throw new ConntrackUnavailableException("This kernel has no connection tracking.");
        SettingDefinition? definition = SettingCatalog.Find(name, present);
        return (definition is null ? null : NetworkNamespace.RunIn(networkNamespace, () => ReadHere(definition)))
            ?? throw new UnknownSettingException(name, [.. present.Select(setting => setting.Name)]);
    }

    /// <summary>Changes a setting.</summary>
    /// <exception cref="ReadOnlySettingException">This namespace can't change it.</exception>
    /// <exception cref="UnauthorizedAccessException">It needs CAP_NET_ADMIN.</exception>
    /// <exception cref="IOException">The kernel refused.</exception>
    public void Set(ConntrackSetting setting, Int128 number) =>
        Sysctl.WriteNumber(Sysctl.Netfilter + setting.Definition.FileName, number, networkNamespace);

    private ConntrackSetting? ReadHere(SettingDefinition definition)
    {
        string path = Sysctl.Netfilter + definition.FileName;
        return Sysctl.ReadWide(path) is { } number
            ? new ConntrackSetting(definition, number, Sysctl.WhyReadOnly(path), persisted?.Find(definition.FileName), networkNamespace)
            : null;
    }
}
