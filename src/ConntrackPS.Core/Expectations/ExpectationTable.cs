using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Expectations.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Expectations;

/// <summary>The expected connections of a network namespace.</summary>
/// <param name="networkNamespace">Which one; null for the caller's own.</param>
/// <remarks>Everything throws <see cref="NetlinkException"/> where the kernel refuses (EPERM without CAP_NET_ADMIN),
/// <see cref="ConntrackUnavailableException"/> where it has no connection tracking, and
/// <see cref="NetworkNamespaceException"/> where the namespace can't be entered. What lists expectations throws
/// <see cref="IncompleteListingException"/> where their zones could not be found out, since the hash table of connections was
/// resized again and again (nf_conntrack_buckets).</remarks>
public sealed class ExpectationTable(NetworkNamespace? networkNamespace = null)
{
    private const string Operation = "list expectations";

    /// <summary>Reads the expectations that match: a few thousand at most (nf_conntrack_expect_max).</summary>
    public IReadOnlyList<ConntrackExpectation> Read(ExpectationFilter? filter = null)
    {
        filter ??= new ExpectationFilter();
        List<ConntrackExpectation> found = List(filter);
        if (found.Count == 0)
            return found;
        using ExpectationFinder finder = CreateFinder();
        new ZoneFinder(finder, new ConntrackTable(networkNamespace)).Assign(found);
        found.RemoveAll(expectation => !filter.Matches(expectation));
        return found;
    }

    /// <summary>Starts looking expectations up one by one.</summary>
    internal ExpectationFinder CreateFinder() => ConntrackTable.Attempt(() => new ExpectationFinder(networkNamespace));

    /// <summary>Starts creating expectations one by one.</summary>
    public ExpectationCreator CreateCreator() => ConntrackTable.Attempt(() => new ExpectationCreator(networkNamespace));

    /// <summary>Starts deleting expectations one by one.</summary>
    /// <param name="keepDeleted">Whether results tell of deleted ones too, and not of refused ones alone.</param>
    public ExpectationDeleter CreateDeleter(bool keepDeleted = false) =>
        ConntrackTable.Attempt(() => new ExpectationDeleter(networkNamespace, keepDeleted));

    /// <summary>Deletes every expectation, or every one of one address family.</summary>
    public void Clear(IPFamily family = IPFamily.Unspecified)
    {
        if (family == IPFamily.Unspecified)
        {
            using NetlinkConnection connection = Open();
            connection.Request(ExpectationRequests.Flush(new byte[NetlinkBatch.MaximumMessageSize]), "empty the table of expectations");
            return;
        }

        // The kernel's flush does not look at the family.
        using ExpectationDeleter deleter = CreateDeleter();
        foreach (ConntrackExpectation expectation in Read(new ExpectationFilter { AddressFamily = family }))
        {
            if (KeyOf(expectation) is { } key)
                deleter.Add(key, expectation);
        }

        deleter.Flush();
        if (deleter.TakeResults() is [{ Failure: { } failure }, ..])
            throw failure;
    }

    /// <summary>What names an expectation exactly. One of an event has no zone yet: it is looked for.</summary>
    /// <returns>Null where it is gone.</returns>
    /// <exception cref="ArgumentException">It has no id: it was not read from the kernel.</exception>
    public ExpectationKey? KeyOf(ConntrackExpectation expectation)
    {
        ArgumentNullException.ThrowIfNull(expectation);
        if (expectation.Id is not { } id)
            throw new ArgumentException("The expectation has no id.", nameof(expectation));
        return expectation.Zone is { } zone ? new ExpectationKey(expectation.Expected, zone, id) : Locate(expectation.Expected, id);
    }

    /// <summary>Finds an expectation whose zone is not known.</summary>
    /// <returns>Null where it is gone.</returns>
    internal ExpectationKey? Locate(ConntrackTuple tuple, uint id)
    {
        ConntrackExpectation? present = Read(new ExpectationFilter { Id = [id] }).FirstOrDefault(candidate => candidate.Expected == tuple);
        return present?.Zone is { } zone ? new ExpectationKey(tuple, zone, id) : null;
    }

    private List<ConntrackExpectation> List(ExpectationFilter filter)
    {
        List<ConntrackExpectation> found = [];
        using NetlinkConnection connection = Open();
        try
        {
            Span<byte> request = stackalloc byte[NetlinkBatch.MaximumMessageSize];
            connection.ReadDump(ExpectationRequests.Dump(request, filter.AddressFamily), Operation, found.Clear, message => Take(message, filter, found));
        }
        catch (NetlinkException exception) when (exception.Errno == Errno.InvalidArgument)
        {
            // A plain dump has nothing in it that could be invalid: the message itself is unknown.
            throw new ConntrackUnavailableException("This kernel has no connection tracking by netlink.", exception);
        }

        return found;
    }

    private void Take(NetlinkMessage message, ExpectationFilter filter, List<ConntrackExpectation> found)
    {
        ConntrackExpectation expectation = ExpectationDecoder.Decode(message);
        expectation.Namespace = networkNamespace?.Name;
        if (filter.MatchesButForZone(expectation))
            found.Add(expectation);
    }

    private NetlinkConnection Open() => ConntrackTable.Attempt(() => NetlinkConnection.Open(networkNamespace));
}

/// <summary>Looks expectations up one by one, as the kernel does when a connection begins.</summary>
/// <remarks>For one thread at a time.</remarks>
internal sealed class ExpectationFinder : IDisposable
{
    private readonly NetlinkConnection _connection;
    private readonly string? _namespace;
    private readonly byte[] _request = new byte[NetlinkBatch.MaximumMessageSize];

    internal ExpectationFinder(NetworkNamespace? networkNamespace) =>
        (_connection, _namespace) = (NetlinkConnection.Open(networkNamespace), networkNamespace?.Name);

    /// <summary>Looks up the expectation that a connection of this tuple and zone would meet.</summary>
    /// <returns>The expectation, or null where there is none.</returns>
    /// <exception cref="NetlinkException">The kernel refused.</exception>
    public ConntrackExpectation? Find(in ConntrackTuple tuple, ushort zone)
    {
        ConntrackExpectation? found = null;
        bool exists = _connection.TryRequest(
            ExpectationRequests.Get(_request, tuple, zone),
            "look up an expectation",
            message => found = ExpectationDecoder.Decode(message));
        if (!exists || found is null)
            return null;
        (found.Zone, found.Namespace) = (zone, _namespace);
        return found;
    }

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _connection.Dispose();
}

/// <summary>Deletes expectations one by one, in batches. One that is gone already is counted, and no failure.</summary>
/// <remarks>What is added goes out when a batch is full, on <see cref="Flush"/>, and 20 ms later at the latest. Safe for use from
/// several threads.</remarks>
public sealed class ExpectationDeleter : IDisposable
{
    private readonly ExistingEntryBatch _batch;

    internal ExpectationDeleter(NetworkNamespace? networkNamespace, bool keepDeleted) =>
        _batch = new ExistingEntryBatch(networkNamespace, "delete an expectation", keepDeleted);

    /// <summary>Expectations deleted so far.</summary>
    public long Deleted => _batch.Done;

    /// <summary>Expectations that the kernel refused.</summary>
    public long Failed => _batch.Failed;

    /// <summary>How many expectations were gone already.</summary>
    public long AlreadyGone => _batch.AlreadyGone;

    /// <summary>Adds an expectation to delete.</summary>
    /// <param name="key">Which one.</param>
    /// <param name="expectation">Comes back with the result.</param>
    /// <exception cref="NetlinkException">The kernel took no batch at all: EPERM without CAP_NET_ADMIN.</exception>
    public void Add(in ExpectationKey key, object expectation) => _batch.Add(ExpectationRequests.Delete, key, expectation);

    /// <summary>Sends what waits.</summary>
    /// <exception cref="NetlinkException">The kernel took no batch at all: EPERM without CAP_NET_ADMIN.</exception>
    public void Flush() => _batch.Flush();

    /// <summary>What became of expectations since the last call: refusals, and the others where these are kept.</summary>
    public IReadOnlyList<EntryResult> TakeResults() => _batch.TakeResults();

    /// <summary>Closes the socket; what was added but not sent is left as it is.</summary>
    public void Dispose() => _batch.Dispose();
}

/// <summary>Finds out the zones of listed expectations, which the kernel doesn't tell: an expectation is in the zone in
/// which the kernel finds it.</summary>
internal sealed class ZoneFinder(ExpectationFinder finder, ConntrackTable table)
{
    /// <summary>Connections that got their helper by a rule or by netlink have the status Helper; those that an
    /// expectation gave theirs have not.</summary>
    private static readonly ConntrackFilter[] WhereMastersAre = [new() { Status = ConntrackStatus.Helper }, new()];

    /// <summary>Sets the zone of each expectation; one that is gone meanwhile keeps none.</summary>
    /// <exception cref="IncompleteListingException">One has none, but its master may have been missed.</exception>
    public void Assign(IReadOnlyCollection<ConntrackExpectation> expectations)
    {
        IncompleteListingException? incomplete = null;
        foreach (ConntrackExpectation expectation in expectations)
            Try(expectation, 0);
        foreach (ConntrackFilter filter in WhereMastersAre)
        {
            ConntrackExpectation[] open = [.. expectations.Where(expectation => expectation.Zone is null)];
            if (open.Length == 0)
                return;
            incomplete = AssignByMaster(open.ToLookup(expectation => expectation.Master), filter);
        }

        // Only the last of the filters lets all masters through. What is without a zone counts as gone.
        if (incomplete is not null && expectations.Any(expectation => expectation.Zone is null))
            throw incomplete;
    }

    /// <returns>What is to be thrown where a master may have been missed.</returns>
    private IncompleteListingException? AssignByMaster(ILookup<ConntrackTuple, ConntrackExpectation> byMaster, ConntrackFilter filter)
    {
        try
        {
            foreach (ConntrackEntry master in table.Read(filter))
            {
                ushort zone = master.OriginalZone ?? master.ReplyZone ?? master.Zone;
                foreach (ConntrackExpectation expectation in zone == 0 ? [] : byMaster[master.Original])
                    Try(expectation, zone);
            }

            return null;
        }
        catch (IncompleteListingException exception)
        {
            return exception;
        }
    }

    private void Try(ConntrackExpectation expectation, ushort zone)
    {
        if (expectation.Zone is null && finder.Find(expectation.Expected, zone)?.Id == expectation.Id)
            expectation.Zone = zone;
    }
}

/// <summary>Which expectations are meant. Every property that is set must match; of several values in one, any may.</summary>
public sealed class ExpectationFilter
{
    /// <summary>Where the expected connection comes from, as it stands in the expectation.</summary>
    public IReadOnlyList<AddressPrefix> SourceAddress { get; init; } = [];

    /// <summary>Where the expected connection goes to.</summary>
    public IReadOnlyList<AddressPrefix> DestinationAddress { get; init; } = [];

    /// <summary>The source of the connection that announced it.</summary>
    public IReadOnlyList<AddressPrefix> MasterSourceAddress { get; init; } = [];

    /// <summary>The destination of the connection that announced it.</summary>
    public IReadOnlyList<AddressPrefix> MasterDestinationAddress { get; init; } = [];

    /// <summary>The source port as it stands in the expectation.</summary>
    public IReadOnlyList<PortRange> SourcePort { get; init; } = [];

    /// <summary>The destination port.</summary>
    public IReadOnlyList<PortRange> DestinationPort { get; init; } = [];

    /// <summary>The layer 4 protocol.</summary>
    public IReadOnlyList<IPProtocol> Protocol { get; init; } = [];

    /// <summary>The master's helper.</summary>
    public IReadOnlyList<string> Helper { get; init; } = [];

    /// <summary>The connections that announced them, by their original tuple and zone.</summary>
    public IReadOnlyList<EntryKey> Master { get; init; } = [];

    /// <summary>The master's zone.</summary>
    public IReadOnlyList<ushort> Zone { get; init; } = [];

    /// <summary>The kernel's id.</summary>
    public IReadOnlyList<uint> Id { get; init; } = [];

    /// <summary>The address family.</summary>
    public IPFamily AddressFamily { get; init; }

    /// <summary>Why nothing can match, whatever expectations there are; null where something can.</summary>
    public FilterContradiction? Contradiction =>
        ContradictionFinder.OfFamilies(
            AddressFamily,
            (nameof(SourceAddress), SourceAddress),
            (nameof(DestinationAddress), DestinationAddress),
            (nameof(MasterSourceAddress), MasterSourceAddress),
            (nameof(MasterDestinationAddress), MasterDestinationAddress))
        ?? ContradictionFinder.OfProtocols(
            (nameof(Protocol), Protocol),
            ContradictionFinder.PortsOrKeys(nameof(SourcePort), SourcePort),
            ContradictionFinder.PortsOrKeys(nameof(DestinationPort), DestinationPort));

    /// <summary>True where some condition excludes something, so that it may be taken for a choice.</summary>
    public bool NamesExpectations =>
        new[] { SourceAddress, DestinationAddress, MasterSourceAddress, MasterDestinationAddress }.Any(Excludes)
        || Excludes(SourcePort) || Excludes(DestinationPort)
        || Protocol.Count > 0 || Helper.Count > 0 || Master.Count > 0 || Zone.Count > 0 || Id.Count > 0
        || AddressFamily != IPFamily.Unspecified;

    /// <summary>True where the expectation is meant.</summary>
    public bool Matches(ConntrackExpectation expectation)
    {
        ArgumentNullException.ThrowIfNull(expectation);
        return MatchesButForZone(expectation)
            && (Zone.Count == 0 || (expectation.Zone is { } zone && Zone.Contains(zone)))
            && (Master.Count == 0 || Master.Any(master => master.AnyZone == expectation.Zone && master.Original == expectation.Master));
    }

    /// <summary>What can be told before the zone is known, which costs a request.</summary>
    internal bool MatchesButForZone(ConntrackExpectation expectation)
    {
        ConntrackTuple expected = expectation.Expected, master = expectation.Master;
        return (AddressFamily == IPFamily.Unspecified || AddressFamily == expected.Family)
            && (Protocol.Count == 0 || Protocol.Contains(expected.Protocol))
            && (Helper.Count == 0 || Helper.Contains(expectation.Helper, StringComparer.OrdinalIgnoreCase))
            && (Id.Count == 0 || (expectation.Id is { } id && Id.Contains(id)))
            && (Master.Count == 0 || Master.Any(key => key.Original == master))
            && Holds(SourceAddress, expected.Family, expected.Source) && Holds(DestinationAddress, expected.Family, expected.Destination)
            && Holds(MasterSourceAddress, master.Family, master.Source) && Holds(MasterDestinationAddress, master.Family, master.Destination)
            && Holds(SourcePort, expectation.SourcePort) && Holds(DestinationPort, expectation.DestinationPort);
    }

    private static bool Holds(IReadOnlyList<AddressPrefix> prefixes, IPFamily family, AddressBits address) =>
        prefixes.Count == 0 || prefixes.Any(prefix => prefix.Contains(family, address));

    private static bool Holds(IReadOnlyList<PortRange> ranges, ushort? port) =>
        ranges.Count == 0 || (port is { } number && ranges.Any(range => range.Contains(number)));

    private static bool Excludes(IReadOnlyList<AddressPrefix> prefixes) => prefixes.Count > 0 && !FilterTerms.HasWholeFamily(prefixes);

    private static bool Excludes(IReadOnlyList<PortRange> ranges) => ranges.Count > 0 && !FilterTerms.HasAllPorts(ranges);
}
