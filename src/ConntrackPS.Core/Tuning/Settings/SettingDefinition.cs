using System.Globalization;

namespace ConntrackPS.Tuning.Settings;

/// <summary>One of the kernel's settings for connection tracking.</summary>
/// <param name="Name">Our name for it.</param>
/// <param name="FileName">Its file below /proc/sys/net/netfilter.</param>
/// <param name="Kind">What its number means.</param>
/// <param name="Minimum">The lowest number accepted.</param>
/// <param name="Maximum">The highest number accepted.</param>
/// <param name="Default">The kernel's default; null where it depends on the machine.</param>
/// <param name="Unit">Of what it is a number; null for nothing in particular.</param>
/// <param name="Description">What it does, in a sentence.</param>
internal sealed record SettingDefinition(
    string Name, string FileName, SettingKind Kind, Int128 Minimum, Int128 Maximum, Int128? Default, string? Unit, string Description)
{
    /// <summary>A setting that this library has no words for: a newer kernel's.</summary>
    public static SettingDefinition Unknown(string fileName) => new(
        NameOf(fileName), fileName, SettingKind.Number, long.MinValue, ulong.MaxValue, null, null, "Not known to ConntrackPS: see nf_conntrack-sysctl.rst of this kernel.");

    /// <summary>The kernel rounds the number up to a multiple of this: a hash table takes whole pages.</summary>
    public long Step { get; init; } = 1;

    /// <summary>The number that the kernel makes of one.</summary>
    public Int128 Round(Int128 number) => (number + Step - 1) / Step * Step;

    /// <summary>The range, for messages.</summary>
    public string AcceptedForm => Kind switch
    {
        SettingKind.Boolean => "true or false",
        SettingKind.Events => "Off, On or Auto",
        SettingKind.Protocol => "None, All, or a protocol such as tcp, udp, icmp, icmpv6, or its number",
        _ => string.Create(CultureInfo.InvariantCulture, $"a number from {Minimum} to {Maximum}"),
    };

    /// <summary>nf_conntrack_tcp_loose becomes TcpLoose.</summary>
    private static string NameOf(string fileName) => string.Concat(
        fileName["nf_conntrack_".Length..].Split('_', StringSplitOptions.RemoveEmptyEntries).Select(word => char.ToUpperInvariant(word[0]) + word[1..]));
}
