using ConntrackPS.Conntrack;

namespace ConntrackPS.Helpers;

/// <summary>A helper of the kernel: it reads the data of connections of one protocol, and expects the further connections announced there.
/// Null means that the value could not be determined.</summary>
/// <remarks>Lists are arrays: shells can index these, but not the read-only lists of the compiler.</remarks>
public sealed class ConntrackHelper
{
    internal ConntrackHelper(string name) => Name = name;

    /// <summary>The name in rules and entries, such as ftp.</summary>
    public string Name { get; }

    /// <summary>The protocol and the expected connections, in one sentence. Null for a helper that is not part of Linux.</summary>
    public string? Description { get; internal init; }

    /// <summary>The layer 4 protocols of the connections that it reads.</summary>
    public IReadOnlyList<IPProtocol> Protocols { get; internal init; } = [];

    /// <summary>The address families of these connections.</summary>
    public IReadOnlyList<IPFamily> AddressFamilies { get; internal init; } = [];

    /// <summary>The usual ports of the protocol. Empty for a helper that only another helper attaches.</summary>
    public IReadOnlyList<ushort> DefaultPorts { get; internal init; } = [];

    /// <summary>The ports of the running module (its option ports): the kernel attaches the helper to connections to these ports if
    /// automatic assignment is on, and has one name for each. The default ports if the module has no such option. Null if the module is
    /// not running.</summary>
    public IReadOnlyList<ushort>? Ports { get; internal init; }

    /// <summary>The ports that modprobe.d or the kernel's command line set for the next load of the module. Null if they set none. For a
    /// module that is built in only the command line counts.</summary>
    public IReadOnlyList<ushort>? NextPorts { get; internal init; }

    /// <summary>The module that contains the helper. Null for a helper that is not part of Linux.</summary>
    public string? Module { get; internal init; }

    /// <summary>The state of the module.</summary>
    public ModuleState? State { get; internal init; }

    /// <summary>The file and the line, or the option of the kernel's command line, that keeps the module from being loaded. Null if there is
    /// none. It has no effect on a module that is loaded or built in.</summary>
    public string? BlacklistedBy { get; internal init; }

    /// <summary>The module that translates the addresses that the helper reads, for connections under NAT. Null for none.</summary>
    public string? NatModule { get; internal init; }

    /// <summary>The state of the NAT module. Null also if the helper has none.</summary>
    public ModuleState? NatState { get; internal init; }

    /// <summary>The number of entries with the helper, in the network namespace.</summary>
    public int? EntryCount { get; internal init; }

    /// <summary>The number of expectations of the helper, in the network namespace.</summary>
    public int? ExpectationCount { get; internal init; }

    /// <summary>The number of rules that attach the helper, in the network namespace. Null if rules could not be read.</summary>
    public int? RuleCount { get; internal init; }

    /// <summary>The rules that attach the helper: those of nf_tables, and those of the kernel's own iptables. Null if rules could not be
    /// read.</summary>
    public IReadOnlyList<HelperUse>? Rules { get; internal init; }

    /// <summary>The objects of nf_tables for the helper (<c>ct helper</c>). An object has no effect without a rule.</summary>
    public IReadOnlyList<HelperUse> Objects { get; internal init; } = [];

    /// <summary>True if the kernel attaches helpers to all connections to their ports (net.netfilter.nf_conntrack_helper). Null if the kernel
    /// does not have that, as since Linux 6.0: then only rules attach helpers.</summary>
    public bool? AutomaticAssignment { get; internal init; }

    /// <summary>The connections that get the helper on this machine, and why, in words.</summary>
    public string Effect { get; private set; } = "";

    /// <summary>The risk of using it, in one sentence. Null if no particular one is known.</summary>
    public string? Caution { get; internal init; }

    /// <summary>The network namespace that it was read in, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; internal init; }

    /// <summary>Sets what was derived from the other values.</summary>
    internal ConntrackHelper With(string effect)
    {
        Effect = effect;
        return this;
    }

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>A place in a ruleset that names a helper.</summary>
/// <param name="Family">The family of the table in the words of nft: inet, ip, ip6. For iptables ip or ip6.</param>
/// <param name="Table">The table.</param>
/// <param name="Chain">The chain of the rule. Null for an object.</param>
/// <param name="Handle">The number of the rule in its nf_tables table, as <c>nft -a list ruleset</c> shows it. Null for others.</param>
/// <param name="Number">The number of the rule in its iptables chain, from 1, as <c>iptables -L --line-numbers</c> shows it. Null for others.</param>
/// <param name="ObjectName">The object of nf_tables. Null for a rule with the target CT.</param>
/// <param name="Helper">The name of the helper.</param>
public sealed record HelperUse(string Family, string Table, string? Chain, ulong? Handle, int? Number, string? ObjectName, string Helper)
{
    /// <summary>The place in the words of nft or iptables.</summary>
    public override string ToString() => this switch
    {
        { Number: { } number } => FormattableString.Invariant($"{(Family == "ip6" ? "ip6tables" : "iptables")} -t {Table} {Chain} {number}"),
        { Handle: { } handle } => FormattableString.Invariant($"{Family} {Table} {Chain} handle {handle}"),
        _ => $"{Family} {Table} {ObjectName}",
    };
}

/// <summary>There is no helper of that name.</summary>
/// <param name="name">The name as the user wrote it.</param>
/// <param name="choices">The names that exist.</param>
internal sealed class UnknownHelperException(string name, IReadOnlyList<string> choices)
    : Exception($"There is no helper '{name}'. The helpers are: {string.Join(", ", choices)}.")
{
    /// <summary>The name as the user wrote it.</summary>
    public string Name { get; } = name;
}
