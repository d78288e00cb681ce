using System.Globalization;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Tuning.Settings;

/// <summary>Settings' values between the kernel's numbers and what people read and write.</summary>
internal static class SettingValue
{
    private const long AllProtocols = 255;

    private static readonly string[] EventChoices = ["Off", "On", "Auto"];

    /// <summary>The value as people read it: a Boolean, a number, or a word.</summary>
    public static object ToObject(SettingDefinition definition, Int128 number) => definition.Kind switch
    {
        // Older kernels take any number but 0 for yes.
        SettingKind.Boolean => number != 0,
        SettingKind.Events when number >= 0 && number <= 2 => EventChoices[(int)number],
        SettingKind.Protocol when number == 0 => "None",
        SettingKind.Protocol when number == AllProtocols => "All",
        SettingKind.Protocol when number > 0 && number < AllProtocols => ((IPProtocol)(byte)number).ToString(),

        // No number of the kernel's is wider.
        _ => number > long.MaxValue ? (object)(ulong)number : (long)number,
    };

    /// <summary>The kernel's number for what somebody wrote.</summary>
    /// <exception cref="ValueRangeException">The setting takes no such value; the message says which it takes.</exception>
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

    /// <summary>Words that it takes; none where it takes a number or a Boolean.</summary>
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
