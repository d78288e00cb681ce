using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>What became of one entry of a batch.</summary>
/// <param name="Entry">Whatever the caller gave along.</param>
/// <param name="Failure">Why the kernel refused; null where it did what was asked.</param>
public sealed record EntryResult(object Entry, NetlinkException? Failure);
