using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>What became of an entry that was to be deleted.</summary>
/// <param name="Entry">Whatever the caller gave along with the key.</param>
/// <param name="Key">Which entry.</param>
/// <param name="Failure">Why the kernel refused; null where the entry is deleted.</param>
public sealed record DeleteResult(object Entry, EntryKey Key, NetlinkException? Failure);
