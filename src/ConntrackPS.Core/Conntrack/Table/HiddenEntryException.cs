using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>An entry is in the table, but no request reaches it: under each of its tuples the kernel finds another one.</summary>
public sealed class HiddenEntryException : NetlinkException
{
    /// <summary>Describes what stands in the way.</summary>
    /// <param name="operation">What was asked, as a phrase that completes "could not ...".</param>
    /// <param name="other">The entry that is found in its place, and that was left alone.</param>
    public HiddenEntryException(string operation, ConntrackEntry other)
        : base(operation, Errno.Exists, $"under its tuples another one is found, {other}") => Other = other;

    /// <summary>The entry that is found in its place, and that was left alone.</summary>
    public ConntrackEntry Other { get; }
}
