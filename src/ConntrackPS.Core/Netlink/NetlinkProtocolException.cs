namespace ConntrackPS.Netlink;

/// <summary>A netlink message is malformed: truncated, or with a length that lies.</summary>
/// <param name="message">What is wrong with it.</param>
public sealed class NetlinkProtocolException(string message) : Exception(message);
