using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>Creates entries one by one, in batches.</summary>
public sealed class EntryCreator : EntryBatch
{
    private readonly List<ConntrackEntry>? _existing;

    internal EntryCreator(NetworkNamespace? networkNamespace, bool keepCreated, bool collectExisting)
        : base(networkNamespace, "create a connection-tracking entry", keepCreated) =>
        _existing = collectExisting ? [] : null;

    /// <summary>Entries created so far.</summary>
    public long Created => Done;

    /// <summary>Adds an entry to create.</summary>
    /// <param name="entry">The entry; comes back with the result.</param>
    /// <exception cref="NetlinkException">The kernel took no batch at all, for lack of privilege for instance.</exception>
    public void Add(ConntrackEntry entry) => Add(Write, entry, entry);

    /// <summary>The entries that existed already since the last call, where these are collected and no failures.</summary>
    public IReadOnlyList<ConntrackEntry> TakeExisting()
    {
        if (_existing is null or { Count: 0 })
            return [];
        ConntrackEntry[] taken = [.. _existing];
        _existing.Clear();
        return taken;
    }

    private protected override bool Forgives(Errno errno, object entry)
    {
        if (errno != Errno.Exists || _existing is null)
            return false;
        _existing.Add((ConntrackEntry)entry);
        return true;
    }

    private static int Write(Span<byte> buffer, in ConntrackEntry entry) =>
        EntryEncoder.Create(buffer, entry, MessageFlags.Create | MessageFlags.Exclusive);
}
