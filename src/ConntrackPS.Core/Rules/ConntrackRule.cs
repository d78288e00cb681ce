using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Rules;

/// <summary>A rule for traffic that this library added, and its counters, as read from the kernel.</summary>
public sealed class ConntrackRule
{
    internal ConntrackRule(string name, RuleKind kind, string traffic, string effect)
    {
        (Name, Kind, Traffic, Effect) = (name, kind, traffic, effect);
    }

    /// <summary>The name, which is also that of its nf_tables table (family inet).</summary>
    public string Name { get; }

    /// <summary>The kind of rule.</summary>
    public RuleKind Kind { get; }

    /// <summary>The traffic, as a filter in words.</summary>
    public string Traffic { get; }

    /// <summary>The effect on the traffic, in words.</summary>
    public string Effect { get; }

    /// <summary>The time for which the rule stays.</summary>
    public RuleLifetime Lifetime { get; internal init; }

    /// <summary>The process that holds the rule. Null for a rule that needs none.</summary>
    public int? ProcessId { get; internal init; }

    /// <summary>True if the kernel has the rule's table.</summary>
    public bool IsInForce { get; internal init; }

    /// <summary>The number of packets that the rule matched. Null if it is not in force.</summary>
    public ulong? Packets { get; internal init; }

    /// <summary>The number of bytes that the rule matched, with layer 3 headers. Null if it is not in force.</summary>
    public ulong? Bytes { get; internal init; }

    /// <summary>The number of times that the kernel had lost the table of a rule of this process. Each time it was created again.</summary>
    public int LossCount { get; internal init; }

    /// <summary>The current or past problem, in one or two sentences. Null if there was none.</summary>
    public string? Problem { get; internal init; }

    /// <summary>When this process added the rule, local time. Null for others.</summary>
    public DateTime? Since { get; internal init; }

    /// <summary>The file from which boot loads the rule. Null if it is not persisted.</summary>
    public string? File { get; internal init; }

    /// <summary>The network namespace, as the user named it; null for the caller's own.</summary>
    public string? Namespace { get; internal init; }

    /// <summary>The hosts that a limit counts, with the connections that each has in the table now, the largest number first. Null
    /// unless it was read, and for rules that are no limits or belong to another process.</summary>
    public IReadOnlyList<LimitedSource>? Sources { get; internal set; }

    /// <summary>The filter. Null for a rule of another process.</summary>
    internal ConntrackFilter? Filter { get; init; }

    /// <summary>The action. Null for a rule of another process.</summary>
    internal RuleAction? Action { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Name} ({Effect}: {Traffic})";
}

/// <summary>A host that a limit counts, and its connections in the table. The kernel counts only those that began after the rule was
/// added.</summary>
/// <param name="Source">The address or prefix of the source, or of the destination if the limit is per destination.</param>
/// <param name="Count">The number of connections, without TCP connections in TIME_WAIT and CLOSE, which the kernel does not count.</param>
/// <param name="Maximum">The number that the limit allows.</param>
public sealed record LimitedSource(string Source, long Count, long Maximum)
{
    /// <summary>True if there are more connections than the limit allows.</summary>
    public bool IsOver => Count > Maximum;

    /// <inheritdoc/>
    public override string ToString() => FormattableString.Invariant($"{Source}: {Count} of {Maximum}");
}

/// <summary>The kinds of rules.</summary>
public enum RuleKind
{
    /// <summary>New connections get a helper.</summary>
    Helper,

    /// <summary>Packets are not tracked.</summary>
    NoTrack,

    /// <summary>New connections above a number are refused.</summary>
    Limit,
}

/// <summary>The time for which a rule stays.</summary>
public enum RuleLifetime
{
    /// <summary>Until it is removed, or the process that added it ends in any way.</summary>
    Process,

    /// <summary>Until it is removed. Each boot loads it again.</summary>
    Persistent,
}

/// <summary>The names of rules: <c>conntrackps-limit-4711-1</c> for the first limit of process 4711, <c>conntrackps-limit-1</c> for the
/// first that is persisted.</summary>
/// <param name="Kind">The kind of rule.</param>
/// <param name="ProcessId">The process, or null for a rule that is persisted.</param>
/// <param name="Number">A number from 1.</param>
internal readonly record struct RuleName(RuleKind Kind, int? ProcessId, int Number)
{
    private const string Prefix = "conntrackps";

    /// <summary>Parses the name of a table. Null if it is not the name of a rule.</summary>
    public static RuleName? Parse(string text)
    {
        string[] parts = text.Split('-');
        if (parts.Length is not (3 or 4) || parts[0] != Prefix || !TryParseKind(parts[1], out RuleKind kind) || !TryParseNumber(parts[^1], out int number))
            return null;
        if (parts.Length == 3)
            return new RuleName(kind, null, number);
        return TryParseNumber(parts[2], out int process) ? new RuleName(kind, process, number) : null;
    }

    /// <inheritdoc/>
    public override string ToString() => ProcessId is { } process
        ? FormattableString.Invariant($"{Prefix}-{TextOf(Kind)}-{process}-{Number}")
        : FormattableString.Invariant($"{Prefix}-{TextOf(Kind)}-{Number}");

    private static string TextOf(RuleKind kind) => kind.ToString().ToLowerInvariant();

    private static bool TryParseKind(string text, out RuleKind kind)
    {
        kind = Enum.GetValues<RuleKind>().FirstOrDefault(known => TextOf(known) == text, (RuleKind)(-1));
        return kind >= 0;
    }

    private static bool TryParseNumber(string text, out int number) =>
        int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out number);
}
