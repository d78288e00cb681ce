using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Tuning.Settings;

/// <summary>A setting of the kernel's connection tracking.</summary>
/// <remarks>Documentation/networking/nf_conntrack-sysctl.rst.</remarks>
public sealed class ConntrackSetting
{
    private readonly ReadOnlyReason? _whyReadOnly;

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

    /// <summary>The setting's name here, such as Maximum.</summary>
    public string Name => Definition.Name;

    /// <summary>The value now: a Boolean, a number, or a word.</summary>
    public object Value => SettingValue.ToObject(Definition, Number);

    /// <summary>The kernel's default; null where it depends on the machine's memory.</summary>
    public object? DefaultValue => Definition.Default is { } number ? SettingValue.ToObject(Definition, number) : null;

    /// <summary>The lowest number accepted; null for words and Booleans.</summary>
    public long? Minimum => Definition.Kind == SettingKind.Number ? (long)Definition.Minimum : null;

    /// <summary>The highest number accepted; null for words and Booleans.</summary>
    public ulong? Maximum => Definition.Kind == SettingKind.Number ? (ulong)Definition.Maximum : null;

    /// <summary>What a number counts: entries, bytes, seconds.</summary>
    public string? Unit => Definition.Unit;

    /// <summary>False where this network namespace can only read it, or /proc/sys is mounted read-only; true does not speak of the
    /// caller's privileges.</summary>
    public bool IsWritable => _whyReadOnly is null;

    /// <summary>What the next boot sets it to, by the files of sysctl.d; null where none does.</summary>
    public object? PersistedValue { get; }

    /// <summary>The file that says so.</summary>
    public string? PersistedIn { get; }

    /// <summary>True where the next boot will set another value than the present one.</summary>
    public bool DiffersFromPersisted { get; }

    /// <summary>What it does.</summary>
    public string Description => Definition.Description;

    /// <summary>The setting's name for <c>sysctl</c>.</summary>
    public string Sysctl => SysctlKey.Of(Definition.FileName);

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; }

    internal SettingDefinition Definition { get; }

    internal Int128 Number { get; }

    /// <exception cref="ReadOnlySettingException">It can't be changed from here.</exception>
    internal void RequireWritable()
    {
        if (_whyReadOnly is { } reason)
            throw new ReadOnlySettingException(ConntrackPS.Linux.Sysctl.Netfilter + Definition.FileName, Namespace, reason);
    }

    /// <summary>On one line: <c>Maximum 262144</c>.</summary>
    public override string ToString() => $"{Name} {Value}";
}
