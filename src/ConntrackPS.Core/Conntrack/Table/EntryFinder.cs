using ConntrackPS.Linux;

namespace ConntrackPS.Conntrack.Table;

/// <summary>Looks entries up one by one.</summary>
/// <remarks>For one thread at a time.</remarks>
public sealed class EntryFinder : IDisposable
{
    private readonly EntryLookup _lookup;

    internal EntryFinder(NetworkNamespace? networkNamespace) =>
        _lookup = new EntryLookup(networkNamespace, "look up a connection-tracking entry");

    /// <summary>Looks up the entry that a key names, and no other one.</summary>
    /// <param name="key">Its original tuple and zones; a reply and an id must be the entry's too.</param>
    /// <param name="resetCounter">Whether the entry's counters become 0 once they are read.</param>
    /// <returns>The entry, or null where there is none.</returns>
    /// <exception cref="IncompleteTupleException">The key leaves out what names the entry.</exception>
    /// <exception cref="HiddenEntryException">It is there, and other entries keep it from being found.</exception>
    /// <exception cref="Netlink.NetlinkException">The kernel refused.</exception>
    public ConntrackEntry? Find(in EntryKey key, bool resetCounter = false)
    {
        key.ThrowIfIncomplete();
        EntryFinding finding = _lookup.Find([key])[0];
        if (finding.Failure is { } failure)
            throw failure;
        if (finding.Entry is not { } entry || !resetCounter)
            return finding.Entry;

        // Only now, when it is known whose counters these are.
        return _lookup.Get(finding.Address, resetCounter: true) is { } last && EntryKey.Of(entry).Matches(last) ? last : null;
    }

    /// <summary>Looks an entry up by a tuple, in whichever direction it goes, and the zone of that direction.</summary>
    /// <param name="key">The tuple and zone; an id must be the entry's too. A reply alone is looked up as that, not either way.</param>
    /// <returns>The entry; null where there is none. Of two, the one whose original tuple it is.</returns>
    /// <exception cref="IncompleteTupleException">The key leaves out what names the entry.</exception>
    /// <exception cref="Netlink.NetlinkException">The kernel refused.</exception>
    public ConntrackEntry? FindEitherWay(in EntryKey key)
    {
        if (!key.IsByReply)
            return FindBothWays(key).FirstOrDefault();
        ConntrackTuple reply = key.Reply!.Value;
        return FindBothWays(key with { Original = reply, Reply = null }).FirstOrDefault(entry => entry.Reply == reply);
    }

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _lookup.Dispose();

    /// <summary>The entry whose original tuple it is, then the one whose reply it is, of those that there are.</summary>
    internal IEnumerable<ConntrackEntry> FindBothWays(EntryKey key)
    {
        key.ThrowIfIncomplete();
        ConntrackEntry? original = null, reply = null;
        foreach (EntryAddress address in (EntryAddress[])[EntryAddress.Of(key), EntryAddress.OriginalOnly(key), EntryAddress.ReplyOnly(key, key.Original)])
        {
            if (_lookup.Get(address) is not { } entry || (key.Id is { } id && entry.Id != id))
                continue;
            (ushort Original, ushort Reply) zones = EntryKey.ZonesOf(entry);
            if (entry.Original == key.Original && zones.Original == key.Zones.Original)
                original = entry;
            else if (entry.Reply == key.Original && zones.Reply == key.Zones.Reply)
                reply = entry;
        }

        return new[] { original, reply }.OfType<ConntrackEntry>();
    }
}
