using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>The result of a lookup: the entry and its address. Empty if the entry is gone.</summary>
/// <param name="Entry">The current entry.</param>
/// <param name="Address">The address for requests about it.</param>
/// <param name="Failure">The reason for a failed lookup: the kernel refused it, or another entry hides the wanted one.</param>
internal readonly record struct EntryFinding(ConntrackEntry? Entry, EntryAddress Address, NetlinkException? Failure);

/// <summary>Looks up entries by their keys, many at once. The kernel finds a tuple in either direction of any entry, so the result is
/// compared completely. If it is another entry, the other addresses of the wanted entry are tried.</summary>
internal sealed class EntryLookup : IDisposable
{
    private readonly NetworkNamespace? _networkNamespace;
    private readonly string _operation;
    private readonly NetlinkConnection _connection;
    private readonly NetlinkBatch _batch;
    private readonly List<Search> _sent = [];

    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <param name="operation">The operation, as a phrase that completes "could not ...".</param>
    public EntryLookup(NetworkNamespace? networkNamespace, string operation)
    {
        (_networkNamespace, _operation) = (networkNamespace, operation);
        _connection = NetlinkConnection.Open(networkNamespace);
        _batch = _connection.CreateBatch(operation, NetlinkBatch.EntryCost);
    }

    /// <summary>True to try only the usual address, for tests.</summary>
    internal bool TriesUsualAddressOnly { get; init; }

    /// <summary>Looks entries up.</summary>
    /// <returns>A result for each key, in the same order.</returns>
    /// <exception cref="NetlinkException">The kernel refused the whole batch, for example for lack of privilege.</exception>
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

    /// <summary>Requests the entry at an address.</summary>
    /// <returns>The entry, or null if there is none.</returns>
    /// <exception cref="NetlinkException">The kernel refused the request.</exception>
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
                throw new NetlinkProtocolException("The kernel did not answer each lookup of a batch.");
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

    /// <summary>Lists the table. This is slow, but no other entry can hide the wanted one.</summary>
    private bool IsListed(EntryKey key)
    {
        ConntrackTuple known = key.IsByReply ? key.Reply!.Value : key.Original;
        ConntrackFilter filter = ExactTuple.ByAddresses(known, key.IsByReply ? TupleDirection.Reply : TupleDirection.Original);
        return new ConntrackTable(_networkNamespace)
            .Read(filter)
            .Any(entry => key.Matches(entry));
    }

    /// <summary>The lookup of one entry, address by address.</summary>
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

        /// <summary>In one zone, no two entries have the same original tuple, and no two have the same reply tuple. So an entry is gone if
        /// another entry has its tuple, or if none has. Every entry can be found by its reply, but not always by its original tuple: if two
        /// packets start the same UDP flow at the same time, the kernel may add the second only under its reply.</summary>
        public bool IsGone => key.Reply is null ? _isOriginalTaken : _isReplyTaken;

        /// <summary>Moves to the next address.</summary>
        /// <returns>False if there is none, or none is needed.</returns>
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
/// <remarks>Only one thread at a time may use it.</remarks>
public sealed class EntryFinder : IDisposable
{
    private readonly EntryLookup _lookup;

    internal EntryFinder(NetworkNamespace? networkNamespace) =>
        _lookup = new EntryLookup(networkNamespace, "look up a connection-tracking entry");

    /// <summary>Looks up the one entry that a key identifies.</summary>
    /// <param name="key">The original tuple and zones. If the key has a reply or an id, the entry must have them too.</param>
    /// <param name="resetCounter">True to reset the entry's counters to 0 after reading.</param>
    /// <returns>The entry, or null if there is none.</returns>
    /// <exception cref="FormatException">The key lacks values that identify the entry.</exception>
    /// <exception cref="NetlinkException">EEXIST: the entry exists, but other entries prevent the lookup. EPERM: CAP_NET_ADMIN is
    /// missing.</exception>
    public ConntrackEntry? Find(in EntryKey key, bool resetCounter = false)
    {
        key.ThrowIfIncomplete();
        EntryFinding finding = _lookup.Find([key])[0];
        if (finding.Failure is { } failure)
            throw failure;
        if (finding.Entry is not { } entry || !resetCounter)
            return finding.Entry;

        // Reset only now, after the check that these counters belong to the right entry.
        return _lookup.Get(finding.Address, resetCounter: true) is { } last && EntryKey.Of(entry).Matches(last) ? last : null;
    }

    /// <summary>Looks up an entry by a tuple in either direction, and the zone of that direction.</summary>
    /// <param name="key">The tuple and zone. If the key has an id, the entry must have it too. A key with only a reply is looked up only as
    /// a reply.</param>
    /// <returns>The entry, or null if there is none. If there are two, the one with this original tuple.</returns>
    /// <exception cref="FormatException">The key lacks values that identify the entry.</exception>
    /// <exception cref="Netlink.NetlinkException">The kernel refused the request.</exception>
    public ConntrackEntry? FindEitherWay(in EntryKey key)
    {
        if (!key.IsByReply)
            return FindBothWays(key).FirstOrDefault();
        ConntrackTuple reply = key.Reply!.Value;
        return FindBothWays(key with { Original = reply, Reply = null }).FirstOrDefault(entry => entry.Reply == reply);
    }

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _lookup.Dispose();

    /// <summary>The entries with this original tuple and with this reply tuple, in this order, if they exist.</summary>
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

/// <summary>An entry is in the table, but no request can address it: for each of its tuples the kernel finds another entry.</summary>
internal sealed class HiddenEntryException : NetlinkException
{
    /// <summary>Describes the entry that hides the wanted one.</summary>
    /// <param name="operation">The operation, as a phrase that completes "could not ...".</param>
    /// <param name="other">The entry that the kernel finds instead. It was not changed.</param>
    public HiddenEntryException(string operation, ConntrackEntry other)
        : base(operation, Errno.Exists, $"another entry is found under its tuples, {other}") => Other = other;

    /// <summary>The entry that the kernel finds instead. It was not changed.</summary>
    public ConntrackEntry Other { get; }
}
