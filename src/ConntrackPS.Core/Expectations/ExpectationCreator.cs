using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Expectations.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Expectations;

/// <summary>Creates expectations one by one, each by a request of its own: they are few.</summary>
/// <remarks>For one thread at a time.</remarks>
public sealed class ExpectationCreator : IDisposable
{
    private const string Operation = "create an expectation";

    private readonly NetlinkConnection _connection;
    private readonly EntryLookup _masters;
    private readonly ExpectationFinder _finder;
    private readonly byte[] _request = new byte[NetlinkBatch.MaximumMessageSize];

    internal ExpectationCreator(NetworkNamespace? networkNamespace)
    {
        _connection = NetlinkConnection.Open(networkNamespace);
        _finder = new ExpectationFinder(networkNamespace);
        _masters = new EntryLookup(networkNamespace, Operation);
    }

    /// <summary>Creates an expectation.</summary>
    /// <param name="expectation">What to create; its id is the kernel's to give.</param>
    /// <param name="force">Where it exists already with the same mask and master, it gets the timeout.</param>
    /// <returns>The expectation as the kernel has it then; null where it is gone already.</returns>
    /// <exception cref="FormatException">The master's tuple is not whole.</exception>
    /// <exception cref="NetlinkException">EEXIST: the kernel would take another entry for its master.</exception>
    /// <exception cref="NetlinkException">The kernel refused. EEXIST: one that meets the tuple exists. EBUSY: one would
    /// meet some of the same connections. ENOENT: no master. EOPNOTSUPP: the master has no helper. EINVAL: a class or
    /// function that there is not. EMFILE: there are as many as there may be.</exception>
    public ConntrackExpectation? Create(ConntrackExpectation expectation, bool force = false)
    {
        ArgumentNullException.ThrowIfNull(expectation);
        IncompleteTupleException.ThrowIfIncomplete(expectation.Expected);
        IncompleteTupleException.ThrowIfIncomplete(expectation.Master, "Master");
        expectation.MasterKey?.ThrowIfIncomplete();
        try
        {
            _connection.Request(ExpectationRequests.Create(_request, expectation, FindMaster(expectation)), Operation);
        }
        catch (NetlinkException exception) when (force && exception is { Errno: Errno.Exists } and not HiddenEntryException && IsThere(expectation))
        {
            // That is what was asked for.
        }

        // On creation the kernel ignores the timeout.
        if (expectation.TimeoutSeconds is not null)
            _connection.Request(ExpectationRequests.ChangeTimeout(_request, expectation), "set the timeout of an expectation");
        return Find(expectation);
    }

    /// <summary>Closes the sockets.</summary>
    public void Dispose()
    {
        _connection.Dispose();
        _finder.Dispose();
        _masters.Dispose();
    }

    /// <summary>Finds the tuple by which the kernel finds the master, and no other entry: it takes whichever has the tuple, in
    /// either direction.</summary>
    private ConntrackTuple FindMaster(ConntrackExpectation expectation)
    {
        ushort zone = expectation.Zone ?? 0;
        ConntrackEntry? taken = At(expectation.Master);
        if (taken is not null && IsMaster(taken))
            return expectation.Master;

        // Whether a zone holds for both directions or for one a listed expectation does not tell.
        EntryKey key = new(expectation.Master, zone, null, null);
        EntryKey[] keys = expectation.MasterKey is { } known
            ? [known]
            : [key, key with { Zone = 0, OriginalZone = zone }, key with { Zone = 0, ReplyZone = zone }];
        if (_masters.Find(keys).Select(finding => finding.Entry).FirstOrDefault(entry => entry is not null) is not { } master)
            throw new NetlinkException(Operation, Errno.NotFound);
        ConntrackEntry? answering = At(master.Reply);
        if (answering is not null && EntryKey.Of(master).Matches(answering))
            return master.Reply;
        taken ??= answering;
        throw taken is null ? new NetlinkException(Operation, Errno.NotFound) : new HiddenEntryException(Operation, taken);

        ConntrackEntry? At(in ConntrackTuple tuple) => _masters.Get(new EntryAddress(EntryAttribute.TupleOrig, tuple, null, zone));

        bool IsMaster(ConntrackEntry entry) => expectation.MasterKey is { } whole
            ? whole.Matches(entry)
            : entry.Original == expectation.Master && EntryKey.Of(entry).AnyZone == zone;
    }

    private bool IsThere(ConntrackExpectation expectation) => Find(expectation) is { } present
        && present.Expected == expectation.Expected
        && present.Mask.Source == expectation.Mask.Source
        && present.Mask.SourcePort == expectation.Mask.SourcePort
        && present.Master == expectation.Master;

    private ConntrackExpectation? Find(ConntrackExpectation expectation) => _finder.Find(expectation.Expected, expectation.Zone ?? 0);
}
