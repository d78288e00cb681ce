using System.Globalization;

namespace ConntrackPS.Tuning.Timeouts;

/// <summary>What the RFCs demand of translators, and many hosts rely on.</summary>
internal static class TimeoutAdvice
{
    /// <summary>RFC 5382, REQ-5: 2 hours 4 minutes for established TCP connections, past the keep-alives of hosts.</summary>
    public const uint EstablishedTcp = 7440;

    /// <summary>RFC 4787, REQ-5: 2 minutes for UDP.</summary>
    public const uint Udp = 120;

    /// <summary>Why a timeout may be too short; null where it is not.</summary>
    public static string? Check(TimeoutDefinition definition, uint seconds) => (definition.Protocol, definition.State) switch
    {
        (TimeoutProtocol.Tcp, TimeoutState.Established) when seconds < EstablishedTcp => Warn(
            definition, seconds, EstablishedTcp, "2 h 4 min", "RFC 5382", "idle connections may break before the hosts' keep-alives come"),
        (TimeoutProtocol.Udp or TimeoutProtocol.UdpLite, _) when seconds < Udp => Warn(
            definition, seconds, Udp, "2 min", "RFC 4787", "replies that come later may be dropped"),
        _ => null,
    };

    private static string Warn(TimeoutDefinition definition, uint seconds, uint limit, string span, string source, string effect) =>
        string.Create(CultureInfo.InvariantCulture, $"{definition}: {seconds} s is less than the {limit} s ({span}) of {source}; {effect}.");
}
