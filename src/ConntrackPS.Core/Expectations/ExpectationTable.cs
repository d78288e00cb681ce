using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Expectations.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Expectations;

/// <summary>The expectations of a network namespace.</summary>
/// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
/// <remarks>All methods throw <see cref="NetlinkException"/> if the kernel refuses the request (EPERM without CAP_NET_ADMIN), <see
/// cref="ConntrackUnavailableException"/> if it has no connection tracking, and <see cref="NetworkNamespaceException"/> if the namespace
/// can't be entered. Methods that list expectations throw <see cref="IncompleteListingException"/> if their zones could not be determined
/// because the hash table of connections was resized repeatedly (nf_conntrack_buckets).</remarks>
public sealed class ExpectationTable(NetworkNamespace? networkNamespace = null)
{
    private const string Operation = "list expectations";

    /// <summary>Reads the matching expectations: a few thousand at most (nf_conntrack_expect_max).</summary>
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

    /// <summary>Creates an object that looks up expectations one by one.</summary>
    internal ExpectationFinder CreateFinder() => ConntrackTable.Attempt(() => new ExpectationFinder(networkNamespace));

    /// <summary>Creates an object that creates expectations one by one.</summary>
    public ExpectationCreator CreateCreator() => ConntrackTable.Attempt(() => new ExpectationCreator(networkNamespace));

    /// <summary>Creates an object that deletes expectations one by one.</summary>
    /// <param name="keepDeleted">True to report deleted expectations as results, and not only refused ones.</param>
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

        // The kernel's flush ignores the family.
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

    /// <summary>The key of an expectation. If it is from an event, its zone is looked up.</summary>
    /// <returns>Null if it is gone.</returns>
    /// <exception cref="ArgumentException">It has no id, so it was not read from the kernel.</exception>
    public ExpectationKey? KeyOf(ConntrackExpectation expectation)
    {
        ArgumentNullException.ThrowIfNull(expectation);
        if (expectation.Id is not { } id)
            throw new ArgumentException("The expectation has no id.", nameof(expectation));
        return expectation.Zone is { } zone ? new ExpectationKey(expectation.Expected, zone, id) : Locate(expectation.Expected, id);
    }

    /// <summary>Finds an expectation with an unknown zone.</summary>
    /// <returns>Null if it is gone.</returns>
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
            // A plain dump has no attribute that could be invalid, so the message type itself is unknown.
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

/// <summary>Looks up expectations one by one, as the kernel does for a new connection.</summary>
/// <remarks>Only one thread at a time may use it.</remarks>
internal sealed class ExpectationFinder : IDisposable
{
    private readonly NetlinkConnection _connection;
    private readonly string? _namespace;
    private readonly byte[] _request = new byte[NetlinkBatch.MaximumMessageSize];

    internal ExpectationFinder(NetworkNamespace? networkNamespace) =>
        (_connection, _namespace) = (NetlinkConnection.Open(networkNamespace), networkNamespace?.Name);

    /// <summary>Looks up the expectation that a connection with this tuple and zone would match.</summary>
    /// <returns>The expectation, or null if there is none.</returns>
    /// <exception cref="NetlinkException">The kernel refused the request.</exception>
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

/// <summary>Deletes expectations one by one, in batches. Expectations that are already gone are counted, and are not failures.</summary>
/// <remarks>A request is sent when the batch is full, on <see cref="Flush"/>, or after 20 ms at the latest. Safe for use from several
/// threads.</remarks>
public sealed class ExpectationDeleter : IDisposable
{
    private readonly ExistingEntryBatch _batch;

    internal ExpectationDeleter(NetworkNamespace? networkNamespace, bool keepDeleted) =>
        _batch = new ExistingEntryBatch(networkNamespace, "delete an expectation", keepDeleted);

    /// <summary>The number of expectations deleted so far.</summary>
    public long Deleted => _batch.Done;

    /// <summary>The number of expectations that the kernel refused.</summary>
    public long Failed => _batch.Failed;

    /// <summary>The number of expectations that were already gone.</summary>
    public long AlreadyGone => _batch.AlreadyGone;

    /// <summary>Adds an expectation to delete.</summary>
    /// <param name="key">The key of the expectation.</param>
    /// <param name="expectation">An object that is returned with the result.</param>
    /// <exception cref="NetlinkException">The kernel refused the whole batch: EPERM without CAP_NET_ADMIN.</exception>
    public void Add(in ExpectationKey key, object expectation) => _batch.Add(ExpectationRequests.Delete, key, expectation);

    /// <summary>Sends the waiting requests.</summary>
    /// <exception cref="NetlinkException">The kernel refused the whole batch: EPERM without CAP_NET_ADMIN.</exception>
    public void Flush() => _batch.Flush();

    /// <summary>The results since the last call: refusals, and successes if they are kept.</summary>
    public IReadOnlyList<EntryResult> TakeResults() => _batch.TakeResults();

    /// <summary>Closes the socket. Requests that were not sent have no effect.</summary>
    public void Dispose() => _batch.Dispose();
}

/// <summary>Determines the zones of listed expectations, which the kernel does not report: an expectation is in the zone in which the
/// kernel finds it.</summary>
internal sealed class ZoneFinder(ExpectationFinder finder, ConntrackTable table)
{
    /// <summary>Connections that got their helper from a rule or by netlink have the status Helper. Those that got it from an expectation
    /// do not.</summary>
    private static readonly ConntrackFilter[] WhereMastersAre = [new() { Status = ConntrackStatus.Helper }, new()];

    /// <summary>Sets the zone of each expectation. One that is gone meanwhile gets none.</summary>
    /// <exception cref="IncompleteListingException">An expectation has no zone, and its master may have been missed.</exception>
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

        // Only the last filter matches all masters. An expectation without a zone counts as gone.
        if (incomplete is not null && expectations.Any(expectation => expectation.Zone is null))
            throw incomplete;
    }

    /// <returns>The exception to throw if a master may have been missed.</returns>
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

/// <summary>Selects expectations. An expectation matches if all properties that are set match. A property with several values matches if
/// any value does.</summary>
public sealed class ExpectationFilter
{
    /// <summary>The source address of the expectation.</summary>
    public IReadOnlyList<AddressPrefix> SourceAddress { get; init; } = [];

    /// <summary>The destination address of the expectation.</summary>
    public IReadOnlyList<AddressPrefix> DestinationAddress { get; init; } = [];

    /// <summary>The source address of the master connection.</summary>
    public IReadOnlyList<AddressPrefix> MasterSourceAddress { get; init; } = [];

    /// <summary>The destination address of the master connection.</summary>
    public IReadOnlyList<AddressPrefix> MasterDestinationAddress { get; init; } = [];

    /// <summary>The source port of the expectation.</summary>
    public IReadOnlyList<PortRange> SourcePort { get; init; } = [];

    /// <summary>The destination port.</summary>
    public IReadOnlyList<PortRange> DestinationPort { get; init; } = [];

    /// <summary>The layer 4 protocol.</summary>
    public IReadOnlyList<IPProtocol> Protocol { get; init; } = [];

    /// <summary>The master's helper.</summary>
    public IReadOnlyList<string> Helper { get; init; } = [];

    /// <summary>The master connections, by original tuple and zone.</summary>
    public IReadOnlyList<EntryKey> Master { get; init; } = [];

    /// <summary>The master's zone.</summary>
    public IReadOnlyList<ushort> Zone { get; init; } = [];

    /// <summary>The kernel's id.</summary>
    public IReadOnlyList<uint> Id { get; init; } = [];

    /// <summary>The address family.</summary>
    public IPFamily AddressFamily { get; init; }

    /// <summary>The reason why no expectation can ever match, or null.</summary>
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

    /// <summary>True if some condition excludes expectations, so that the filter counts as a selection.</summary>
    public bool NamesExpectations =>
        new[] { SourceAddress, DestinationAddress, MasterSourceAddress, MasterDestinationAddress }.Any(Excludes)
        || Excludes(SourcePort) || Excludes(DestinationPort)
        || Protocol.Count > 0 || Helper.Count > 0 || Master.Count > 0 || Zone.Count > 0 || Id.Count > 0
        || AddressFamily != IPFamily.Unspecified;

    /// <summary>True if the expectation matches.</summary>
    public bool Matches(ConntrackExpectation expectation)
    {
        ArgumentNullException.ThrowIfNull(expectation);
        return MatchesButForZone(expectation)
            && (Zone.Count == 0 || (expectation.Zone is { } zone && Zone.Contains(zone)))
            && (Master.Count == 0 || Master.Any(master => master.AnyZone == expectation.Zone && master.Original == expectation.Master));
    }

    /// <summary>Checks all conditions except the zone, because the zone costs a request.</summary>
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
