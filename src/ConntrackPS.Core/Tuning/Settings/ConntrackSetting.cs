using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Tuning.Settings;

/// <summary>A setting of the kernel's connection tracking.</summary>
/// <remarks>Documentation/networking/nf_conntrack-sysctl.rst.</remarks>
public sealed class ConntrackSetting
{
    private readonly ReadOnlyReason? _whyReadOnly;
    private readonly bool _isOfText;

    internal ConntrackSetting(
        SettingDefinition definition, Int128 number, ReadOnlyReason? whyReadOnly, PersistedValue? persisted, NetworkNamespace? networkNamespace)
    {
        (Definition, Number, _whyReadOnly) = (definition, number, whyReadOnly);
        PersistedValue = persisted is null ? null
            : persisted.Number is { } value ? SettingValue.ToObject(definition, value) : persisted.Text;
        PersistedIn = persisted?.File;
        DiffersFromPersisted = persisted is not null && (persisted.Number is not { } wanted || definition.Round(wanted) != number);
        Namespace = networkNamespace?.Name;
    }

    /// <summary>A value that a text told, of a kernel whose defaults and ranges are unknown.</summary>
    internal ConntrackSetting(SettingDefinition definition, Int128 number) => (Definition, Number, _isOfText) = (definition, number, true);

    /// <summary>The name in this library, such as Maximum.</summary>
    public string Name => Definition.Name;

    /// <summary>The current value: a Boolean, a number, or a word.</summary>
    public object Value => SettingValue.ToObject(Definition, Number);

    /// <summary>The kernel's default; null if it depends on the machine's memory, and for a value that was read from text.</summary>
    public object? DefaultValue => !_isOfText && Definition.Default is { } number ? SettingValue.ToObject(Definition, number) : null;

    /// <summary>The lowest number accepted; null for words, Booleans and text.</summary>
    public long? Minimum => !_isOfText && Definition.Kind == SettingKind.Number ? (long)Definition.Minimum : null;

    /// <summary>The highest number accepted; null for words, Booleans and text.</summary>
    public ulong? Maximum => !_isOfText && Definition.Kind == SettingKind.Number ? (ulong)Definition.Maximum : null;

    /// <summary>The unit of a number: entries, bytes, seconds.</summary>
    public string? Unit => Definition.Unit;

    /// <summary>False if this network namespace can only read it, or /proc/sys is mounted read-only; true does not speak of the
    /// caller's privileges. Null for a value that was read from text.</summary>
    public bool? IsWritable => _isOfText ? null : _whyReadOnly is null;

    /// <summary>The value that the files of sysctl.d set at the next boot. Null if none does.</summary>
    public object? PersistedValue { get; }

    /// <summary>The file that sets it.</summary>
    public string? PersistedIn { get; }

    /// <summary>True if the next boot will set another value than the present one; null for a value that was read from text.</summary>
    public bool? DiffersFromPersisted { get; }

    /// <summary>A description.</summary>
    public string Description => Definition.Description;

    /// <summary>The name for <c>sysctl</c>.</summary>
    public string Sysctl => SysctlKey.Of(Definition.FileName);

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; }

    internal SettingDefinition Definition { get; }

    internal Int128 Number { get; }

    /// <exception cref="ReadOnlySettingException">It can't be changed here.</exception>
    internal void RequireWritable()
    {
        if (_whyReadOnly is { } reason)
            throw new ReadOnlySettingException(ConntrackPS.Linux.Sysctl.Netfilter + Definition.FileName, Namespace, reason);
    }

    /// <summary>Reads the settings of a network namespace. No privilege is required.</summary>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <returns>The settings that this kernel and namespace have.</returns>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    /// <exception cref="UnreadableSettingException">A setting has an unusable value.</exception>
    public static IReadOnlyList<ConntrackSetting> Read(NetworkNamespace? networkNamespace = null) =>
        new ConntrackSettings(networkNamespace, PersistedSettings.ReadFor(networkNamespace)).Read();

    /// <summary>Changes a setting until the next boot.</summary>
    /// <param name="name">The name, such as Maximum, or the sysctl name.</param>
    /// <param name="value">A number from <see cref="Minimum"/> to <see cref="Maximum"/>, true or false, or one of the setting's words, such
    /// as Auto.</param>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <exception cref="ArgumentException">This kernel has no setting of that name, or the setting does not accept the value. The message
    /// has the accepted form.</exception>
    /// <exception cref="ReadOnlySettingException">It can't be changed from this namespace.</exception>
    /// <exception cref="UnauthorizedAccessException">CAP_NET_ADMIN is missing.</exception>
    /// <exception cref="IOException">The kernel refused the value.</exception>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public static void Set(string name, string value, NetworkNamespace? networkNamespace = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(value);
        ConntrackSettings settings = new(networkNamespace);
        ConntrackSetting setting = settings.Find(name);
        Int128 number = SettingValue.Parse(setting.Definition, value);
        setting.RequireWritable();
        settings.Set(setting, number);
    }

    /// <summary>On one line: <c>Maximum 262144</c>.</summary>
    public override string ToString() => $"{Name} {Value}";
}

/// <summary>The settings of a network namespace.</summary>
/// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
/// <param name="persisted">The values of the files of sysctl.d, or null to omit them.</param>
internal sealed class ConntrackSettings(NetworkNamespace? networkNamespace, PersistedSettings? persisted = null)
{
    /// <summary>Reads all settings that this kernel and namespace have.</summary>
    /// <param name="tell">Called for each setting that can't be read. Null to throw at the first one.</param>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    /// <exception cref="UnreadableSettingException">A setting has an unusable value, and <paramref name="tell"/> is null.</exception>
    public IReadOnlyList<ConntrackSetting> Read(Action<UnreadableSettingException>? tell = null) => NetworkNamespace.RunIn(networkNamespace, IReadOnlyList<ConntrackSetting> () =>
    {
        IReadOnlyList<SettingDefinition> present = SettingCatalog.Present(null);
        return present.Count > 0
            ? [.. present.Select(definition => Sysctl.TryRead(() => ReadHere(definition), tell)).OfType<ConntrackSetting>()]
            : throw new ConntrackUnavailableException("This kernel has no connection tracking.");
    });

    /// <summary>Finds a setting by its name in this library or its sysctl name.</summary>
    /// <exception cref="UnknownSettingException">This kernel has no setting of that name.</exception>
    public ConntrackSetting Find(string name)
    {
        // A setting that can't be read does not prevent access to another.
        IReadOnlyList<SettingDefinition> present = SettingCatalog.Present(networkNamespace);
        if (present.Count == 0)
            throw new ConntrackUnavailableException("This kernel has no connection tracking.");
        SettingDefinition? definition = SettingCatalog.Find(name, present);
        return (definition is null ? null : NetworkNamespace.RunIn(networkNamespace, () => ReadHere(definition)))
            ?? throw new UnknownSettingException(name, [.. present.Select(setting => setting.Name)]);
    }

    /// <summary>Changes a setting.</summary>
    /// <exception cref="ReadOnlySettingException">The setting can't be changed in this namespace.</exception>
    /// <exception cref="UnauthorizedAccessException">CAP_NET_ADMIN is missing.</exception>
    /// <exception cref="IOException">The kernel refused the value.</exception>
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
