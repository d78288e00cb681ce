using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>What a look-up came to: the entry and where it is found; nothing where it is gone.</summary>
/// <param name="Entry">The entry as it is now.</param>
/// <param name="Address">What a request must say to reach it.</param>
/// <param name="Failure">Why the look-up failed: the kernel refused, or another entry stands in the way.</param>
internal readonly record struct EntryFinding(ConntrackEntry? Entry, EntryAddress Address, NetlinkException? Failure);

/// <summary>Looks entries up by name, many at once. The kernel takes a tuple for either direction of any entry, so that what
/// it hands out is compared whole; where it is another one, the other addresses of the entry that was meant are tried.</summary>
internal sealed class EntryLookup : IDisposable
{
    private readonly NetworkNamespace? _networkNamespace;
    private readonly string _operation;
    private readonly NetlinkConnection _connection;
    private readonly NetlinkBatch _batch;
    private readonly List<Search> _sent = [];

    /// <param name="networkNamespace">Where; null for the caller's own.</param>
    /// <param name="operation">What the entries are looked up for, as a phrase that completes "could not ...".</param>
    public EntryLookup(NetworkNamespace? networkNamespace, string operation)
    {
        (_networkNamespace, _operation) = (networkNamespace, operation);
        _connection = NetlinkConnection.Open(networkNamespace);
        _batch = _connection.CreateBatch(operation, NetlinkBatch.EntryCost);
    }

    /// <summary>Which addresses are tried; all of them but in tests.</summary>
    internal bool TriesUsualAddressOnly { get; init; }

    /// <summary>Looks entries up.</summary>
    /// <returns>A finding for each key, in their order.</returns>
    /// <exception cref="NetlinkException">The kernel took no batch at all, for lack of privilege for instance.</exception>
    public EntryFinding[] Find(IReadOnlyList<EntryKey> keys)
    {
        Search[] searches = [.. keys.Select(key => new Search(key, TriesUsualAddressOnly))];
        for (bool more = true; more;)
        {
            more = false;
            foreach (Search search in searches)
                more |= Ask(search);
            Send();
        }

        return [.. searches.Select(Conclude)];
    }

    /// <summary>Asks for whatever entry is at an address.</summary>
    /// <returns>The entry; null for none.</returns>
    /// <exception cref="NetlinkException">The kernel refused.</exception>
    public ConntrackEntry? Get(in EntryAddress address, bool resetCounter = false)
    {
        Span<byte> request = stackalloc byte[NetlinkBatch.MaximumMessageSize];
        int length = TableRequests.Get(request, address, MessageFlags.Ack, resetCounter);
        ConntrackEntry? found = null;
        _connection.TryRequest(request[..length], _operation, message => found = Decode(message));
        return found;
    }

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _connection.Dispose();

    private bool Ask(Search search)
    {
        if (!search.MoveNext())
            return false;
        if (_batch.IsFull)
            Send();
        _batch.Add(TableRequests.Get(_batch.NextMessage, search.Address, MessageFlags.None));
        _sent.Add(search);
        return true;
    }

    private void Send()
    {
        int answered = 0;
        try
        {
            _batch.Send(
                (index, answer) =>
                {
                    answered++;
                    _sent[index].TakeRefusal(answer, _operation);
                },
                (index, message) =>
                {
                    answered++;
                    _sent[index].Take(Decode(message));
                });
            if (answered != _sent.Count)
                throw new NetlinkProtocolException("The kernel did not answer each look-up of a batch.");
        }
        finally
        {
            _sent.Clear();
        }
    }

    private ConntrackEntry Decode(NetlinkMessage message)
    {
        ConntrackEntry entry = EntryDecoder.Decode(message);
        entry.Namespace = _networkNamespace?.Name;
        return entry;
    }

    private EntryFinding Conclude(Search search)
    {
        if (search.Other is { } other && search is { Found: null, Failure: null, IsGone: false } && IsListed(search.Key))
            return new EntryFinding(null, default, new HiddenEntryException(_operation, other));
        return new EntryFinding(search.Found, search.Address, search.Failure);
    }

    /// <summary>The one question that no other entry can get in the way of, at the price of a listing.</summary>
    private bool IsListed(EntryKey key)
    {
        ConntrackTuple known = key.IsByReply ? key.Reply!.Value : key.Original;
        ConntrackFilter filter = ExactTuple.ByAddresses(known, key.IsByReply ? TupleDirection.Reply : TupleDirection.Original);
        return new ConntrackTable(_networkNamespace)
            .Read(filter)
            .Any(entry => key.Matches(entry));
    }

    /// <summary>The search for one entry, address by address.</summary>
    private sealed class Search(EntryKey key, bool triesUsualAddressOnly)
    {
        private int _step;
        private bool _isOriginalTaken;
        private bool _isReplyTaken;

        public EntryKey Key => key;

        public EntryAddress Address { get; private set; }

        public ConntrackEntry? Found { get; private set; }

        public ConntrackEntry? Other { get; private set; }

        public NetlinkException? Failure { get; private set; }

        /// <summary>No two entries have an original tuple in one zone, or a reply. So one is gone where another has its
        /// place, or none has. Every entry can be found by its reply; not so by its original tuple, since of two packets
        /// that begin one UDP flow at once the kernel may enter the second under its reply alone.</summary>
        public bool IsGone => key.Reply is null ? _isOriginalTaken : _isReplyTaken;

        /// <summary>Goes on to the next address.</summary>
        /// <returns>False where there is none, or no need of one.</returns>
        public bool MoveNext()
        {
            while (Found is null && Failure is null && !IsGone && _step < (triesUsualAddressOnly ? 1 : 4))
            {
                if (NextAddress(_step++) is { } address && (_step == 1 || address != Address))
                {
                    Address = address;
                    return true;
                }
            }

            return false;
        }

        public void Take(ConntrackEntry entry)
        {
            if (key.Matches(entry))
            {
                Found = entry;
                return;
            }

            Other = entry;
            (ushort original, ushort reply) = EntryKey.ZonesOf(entry);
            _isOriginalTaken |= entry.Original == key.Original && original == key.Zones.Original;
            _isReplyTaken |= entry.Reply == key.Reply && reply == key.Zones.Reply;
        }

        public void TakeRefusal(NetlinkAnswer answer, string operation)
        {
            if (answer.Errno != Errno.NotFound)
                Failure = answer.ToException(operation);
            else if (_step <= 2)
                _isOriginalTaken = true;
            else
                _isReplyTaken = true;
        }

        private EntryAddress? NextAddress(int step) => (step, key.Reply) switch
        {
            (0, _) => EntryAddress.Of(key),
            (1, _) => _isOriginalTaken || key.IsByReply ? null : EntryAddress.OriginalOnly(key),
            (2, { } reply) => EntryAddress.In(key, reply),
            (3, { } reply) => EntryAddress.ReplyOnly(key, reply),
            _ => null,
        };
    }
}

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
    /// <exception cref="FormatException">The key leaves out what names the entry.</exception>
    /// <exception cref="NetlinkException">EEXIST: it is there, and other entries keep it from being found. EPERM:
    /// it needs CAP_NET_ADMIN.</exception>
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
    /// <exception cref="FormatException">The key leaves out what names the entry.</exception>
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

/// <summary>An entry is in the table, but no request reaches it: under each of its tuples the kernel finds another one.</summary>
internal sealed class HiddenEntryException : NetlinkException
{
    /// <summary>Describes what stands in the way.</summary>
    /// <param name="operation">What was asked, as a phrase that completes "could not ...".</param>
    /// <param name="other">The entry that is found in its place, and that was left alone.</param>
    public HiddenEntryException(string operation, ConntrackEntry other)
        : base(operation, Errno.Exists, $"another entry is found under its tuples, {other}") => Other = other;

    /// <summary>The entry that is found in its place, and that was left alone.</summary>
    public ConntrackEntry Other { get; }
}
