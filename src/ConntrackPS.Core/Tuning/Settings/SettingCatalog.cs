using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Tuning.Settings;

/// <summary>The settings of connection tracking except timeouts.</summary>
/// <remarks>Documentation/networking/nf_conntrack-sysctl.rst. The ranges are those of Linux 6.18, or narrower where the kernel accepts
/// useless values.</remarks>
internal static class SettingCatalog
{
    private const string Prefix = "nf_conntrack_";

    private static readonly SettingDefinition[] Known =
    [
        Number("Maximum", "max", 1, int.MaxValue, null, "entries", "Entries allowed in each network namespace. Past it, packets of new connections are dropped."),
        Number("Buckets", "buckets", 1, 1 << 28, null, "buckets", "Size of the hash table, which all network namespaces share. Changing it moves every entry.") with
        {
            Step = Environment.SystemPageSize / EntryMemory.BucketBytes,
        },
        Number("ExpectationMaximum", "expect_max", 1, int.MaxValue, null, "expectations", "Expected connections allowed in each network namespace."),
        Boolean("Accounting", "acct", false, "Count the packets and bytes of each new connection."),
        Boolean("Timestamp", "timestamp", false, "Record when each connection starts and ends."),
        new("Events", Prefix + "events", SettingKind.Events, 0, 2, 2, null, "Produce events: Off, On for every connection, or Auto for connections opened while a listener is running."),
        Boolean("TcpLoose", "tcp_loose", true, "Pick up TCP connections that were opened before they were tracked."),
        Boolean("TcpBeLiberal", "tcp_be_liberal", false, "Treat only resets outside the window as invalid, not every packet outside it."),
        Number("TcpMaxRetrans", "tcp_max_retrans", 0, 255, 3, "retries", "Number of unanswered retransmissions after which the timeout Retrans applies."),
        Boolean("TcpIgnoreInvalidRst", "tcp_ignore_invalid_rst", false, "Do not treat resets outside the window as invalid."),
        Boolean("DccpLoose", "dccp_loose", true, "Pick up DCCP connections that were opened before they were tracked."),
        Boolean("Checksum", "checksum", true, "Verify the checksums of incoming packets, and treat wrong ones as invalid."),
        new("LogInvalid", Prefix + "log_invalid", SettingKind.Protocol, 0, 255, 0, null, "Log invalid packets of a protocol, or of all."),
        Boolean("Helper", "helper", false, "Attach helpers to connections by their port, without a rule (kernels before 6.0)."),
        Number("Fragment6HighThreshold", "frag6_high_thresh", 0, ulong.MaxValue, 4 << 20, "bytes", "Maximum memory for reassembling IPv6 packets. Above it, fragments are dropped."),
        Number("Fragment6LowThreshold", "frag6_low_thresh", 0, ulong.MaxValue, 3 << 20, "bytes", "Memory limit down to which fragments are then dropped."),
        Number("Fragment6Timeout", "frag6_timeout", 1, TimeoutRange.Maximum, 60, "seconds", "How long a fragment of an IPv6 packet waits for the others."),
    ];

    /// <summary>The known settings that this kernel and namespace have, and the unknown ones that are not timeouts.</summary>
    public static IReadOnlyList<SettingDefinition> Present(NetworkNamespace? networkNamespace)
    {
        IReadOnlyList<string> files = Sysctl.Names(Prefix, networkNamespace);
        return
        [
            .. Known.Where(definition => files.Contains(definition.FileName)),
            .. files.Where(IsUnknown).Select(SettingDefinition.Unknown),
        ];
    }

    /// <summary>The setting of a file below /proc/sys/net/netfilter, whichever kernel has it.</summary>
    public static SettingDefinition OfFile(string fileName) =>
        Array.Find(Known, definition => definition.FileName == fileName) ?? SettingDefinition.Unknown(fileName);

    /// <summary>Finds a setting of any kernel by its name in this library or its sysctl name.</summary>
    public static SettingDefinition? Find(string name, IEnumerable<SettingDefinition> present) =>
        present.Concat(Known).FirstOrDefault(definition =>
            definition.Name.Equals(name, StringComparison.OrdinalIgnoreCase)
            || definition.FileName.Equals(name, StringComparison.Ordinal)
            || ("net.netfilter." + definition.FileName).Equals(name, StringComparison.Ordinal));

    /// <summary>The count is not a setting, but a value that the kernel reports.</summary>
    private static bool IsUnknown(string file) =>
        file != Prefix + "count"
        && !Array.Exists(Known, definition => definition.FileName == file)
        && TimeoutCatalog.All.All(definition => definition.Sysctl != file);

    private static SettingDefinition Number(
        string name, string file, Int128 minimum, Int128 maximum, Int128? defaultValue, string unit, string description) =>
        new(name, Prefix + file, SettingKind.Number, minimum, maximum, defaultValue, unit, description);

    private static SettingDefinition Boolean(string name, string file, bool defaultValue, string description) =>
        new(name, Prefix + file, SettingKind.Boolean, 0, 1, defaultValue ? 1 : 0, null, description);
}

/// <summary>One of the kernel's settings for connection tracking.</summary>
/// <param name="Name">The name in this library.</param>
/// <param name="FileName">Its file below /proc/sys/net/netfilter.</param>
/// <param name="Kind">The meaning of its number.</param>
/// <param name="Minimum">The lowest accepted number.</param>
/// <param name="Maximum">The highest accepted number.</param>
/// <param name="Default">The kernel's default. Null if it depends on the machine.</param>
/// <param name="Unit">The unit, or null if it has none.</param>
/// <param name="Description">A description in one sentence.</param>
internal sealed record SettingDefinition(
    string Name, string FileName, SettingKind Kind, Int128 Minimum, Int128 Maximum, Int128? Default, string? Unit, string Description)
{
    /// <summary>A setting of a newer kernel that this library doesn't know.</summary>
    public static SettingDefinition Unknown(string fileName) => new(
        NameOf(fileName), fileName, SettingKind.Number, long.MinValue, ulong.MaxValue, null, null, "Not known to ConntrackPS: see nf_conntrack-sysctl.rst of this kernel.");

    /// <summary>The kernel rounds the number up to a multiple of this, because a hash table uses whole pages.</summary>
    public long Step { get; init; } = 1;

    /// <summary>The number after the kernel's rounding.</summary>
    public Int128 Round(Int128 number) => (number + Step - 1) / Step * Step;

    /// <summary>The range, for messages.</summary>
    public string AcceptedForm => Kind switch
    {
        SettingKind.Boolean => "true or false",
        SettingKind.Events => "Off, On or Auto",
        SettingKind.Protocol => "None, All, or a protocol such as tcp, udp, icmp, icmpv6, or its number",
        _ => string.Create(CultureInfo.InvariantCulture, $"a number from {Minimum} to {Maximum}"),
    };

    /// <summary>Converts nf_conntrack_tcp_loose to TcpLoose.</summary>
    private static string NameOf(string fileName) => string.Concat(
        fileName["nf_conntrack_".Length..].Split('_', StringSplitOptions.RemoveEmptyEntries).Select(word => char.ToUpperInvariant(word[0]) + word[1..]));
}

/// <summary>The meaning of a setting's number.</summary>
internal enum SettingKind
{
    /// <summary>A number.</summary>
    Number,

    /// <summary>0 for no, 1 for yes.</summary>
    Boolean,

    /// <summary>0 for off, 1 for on, 2 for automatic.</summary>
    Events,

    /// <summary>0 for none, 255 for all, otherwise a protocol's IANA number.</summary>
    Protocol,
}

/// <summary>This kernel does not have the setting.</summary>
/// <param name="name">The requested name.</param>
/// <param name="choices">The settings that it has.</param>
internal sealed class UnknownSettingException(string name, IReadOnlyList<string> choices)
    : ArgumentException($"This kernel has no setting '{name}'.{(IsNameOfTimeout(name) ? "" : $" It has {string.Join(", ", choices)}.")}")
{
    /// <summary>The requested name.</summary>
    public string Name { get; } = name;

    /// <summary>True if the name looks like that of a timeout, which is not a setting.</summary>
    internal bool IsOfTimeout { get; } = IsNameOfTimeout(name);

    private static bool IsNameOfTimeout(string name) => name.Contains("timeout", StringComparison.OrdinalIgnoreCase);
}

/// <summary>Converts setting values between the kernel's numbers and the form for users.</summary>
internal static class SettingValue
{
    private const long AllProtocols = 255;

    private static readonly string[] EventChoices = ["Off", "On", "Auto"];

    /// <summary>The value for users: a Boolean, a number, or a word.</summary>
    public static object ToObject(SettingDefinition definition, Int128 number) => definition.Kind switch
    {
        // On older kernels any number except 0 means yes.
        SettingKind.Boolean => number != 0,
        SettingKind.Events when number >= 0 && number <= 2 => EventChoices[(int)number],
        SettingKind.Protocol when number == 0 => "None",
        SettingKind.Protocol when number == AllProtocols => "All",
        SettingKind.Protocol when number > 0 && number < AllProtocols => ((IPProtocol)(byte)number).ToString(),

        // The kernel has no wider numbers.
        _ => number > long.MaxValue ? (object)(ulong)number : (long)number,
    };

    /// <summary>Converts a user's value to the kernel's number.</summary>
    /// <exception cref="ValueRangeException">The setting does not accept the value. The message has the accepted form.</exception>
    public static Int128 Parse(SettingDefinition definition, string text)
    {
        Int128? number = definition.Kind switch
        {
            SettingKind.Boolean => ParseBoolean(text),
            SettingKind.Events => Array.FindIndex(EventChoices, choice => choice.Equals(text, StringComparison.OrdinalIgnoreCase)) is >= 0 and var index
                ? index
                : ParseNumber(text),
            SettingKind.Protocol => ParseProtocol(text),
            _ => ParseNumber(text),
        };
        return number >= definition.Minimum && number <= definition.Maximum
            ? number.Value
            : throw new ValueRangeException(definition, text);
    }

    /// <summary>The accepted words. Empty for numbers and Booleans.</summary>
    public static IEnumerable<string> Choices(SettingDefinition definition) => definition.Kind switch
    {
        SettingKind.Events => EventChoices,
        SettingKind.Protocol => ["None", "All", "Icmp", "Tcp", "Udp", "IcmpV6", "Sctp", "Gre", "UdpLite"],
        _ => [],
    };

    private static long? ParseBoolean(string text) => text.ToLowerInvariant() switch
    {
        "true" or "on" or "yes" or "1" => 1,
        "false" or "off" or "no" or "0" => 0,
        _ => null,
    };

    private static long? ParseProtocol(string text) => text.ToLowerInvariant() switch
    {
        "none" => 0,
        "all" => AllProtocols,
        _ => ProtocolNames.TryParse(text, out IPProtocol protocol) ? (long)protocol : null,
    };

    private static Int128? ParseNumber(string text) =>
        Int128.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out Int128 number) ? number : null;
}

/// <summary>A value that the kernel does not accept.</summary>
/// <param name="message">The value, and the accepted form.</param>
internal sealed class ValueRangeException(string message) : ArgumentException(message)
{
    private readonly string? _text;

    internal ValueRangeException(SettingDefinition setting, string text)
        : this(Describe(setting, text, setting.AcceptedForm)) => (Setting, _text) = (setting, text);

    /// <summary>The setting, or null if the value is not one of a setting.</summary>
    internal SettingDefinition? Setting { get; }

    /// <summary>The message about a setting's value, with another description of the accepted form.</summary>
    internal string Describe(string acceptedForm) => Setting is null ? Message : Describe(Setting, _text!, acceptedForm);

    private static string Describe(SettingDefinition setting, string text, string acceptedForm) =>
        $"'{text}' is not a value of {setting.Name}: write {acceptedForm}.";
}
