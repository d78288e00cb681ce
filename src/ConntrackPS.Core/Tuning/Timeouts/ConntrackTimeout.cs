using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Tuning.Timeouts;

/// <summary>How long the kernel keeps an idle connection of a protocol, in a state.</summary>
public sealed class ConntrackTimeout
{
    internal ConntrackTimeout(TimeoutDefinition definition, uint seconds, uint defaultSeconds, PersistedValue? persisted, NetworkNamespace? networkNamespace)
    {
        Definition = definition;
        TimeoutSeconds = seconds;
        DefaultSeconds = defaultSeconds;
        PersistedSeconds = persisted?.Number is { } number && number <= long.MaxValue ? (long)number : null;
        DiffersFromPersisted = persisted is not null && persisted.Number != seconds;
        PersistedText = persisted?.Text;
        PersistedIn = persisted?.File;
        Namespace = networkNamespace?.Name;
    }

    /// <summary>The protocol.</summary>
    public TimeoutProtocol Protocol => Definition.Protocol;

    /// <summary>The state; null for a protocol with one timeout.</summary>
    public TimeoutState? State => Definition.State;

    /// <summary>Seconds without a packet until the entry goes, now.</summary>
    public uint TimeoutSeconds { get; }

    /// <summary>The kernel's own default, in seconds.</summary>
    public uint DefaultSeconds { get; }

    /// <summary>What the timeout will be after the next boot, in seconds, by the files of sysctl.d; null where none sets it.</summary>
    public long? PersistedSeconds { get; }

    /// <summary>The file that says so.</summary>
    public string? PersistedIn { get; }

    /// <summary>True where the next boot will set another timeout than the present one.</summary>
    public bool DiffersFromPersisted { get; }

    /// <summary>The timeout's name for <c>sysctl</c>; null for the one that netlink alone has.</summary>
    public string? Sysctl => Definition.Sysctl is { } name ? SysctlKey.Of(name) : null;

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; }

    internal TimeoutDefinition Definition { get; }

    /// <summary>What the file says, be it a number or not.</summary>
    internal string? PersistedText { get; }

    /// <summary>On one line: <c>tcp ESTABLISHED 432000 s</c>.</summary>
    public override string ToString() => $"{Definition} {TimeoutSeconds} s";
}
