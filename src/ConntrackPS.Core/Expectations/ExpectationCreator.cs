using ConntrackPS.Expectations.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Expectations;

/// <summary>Creates expectations one by one, each by a request of its own: they are few.</summary>
public sealed class ExpectationCreator : IDisposable
{
    private readonly NetlinkConnection _connection;
    private readonly ExpectationFinder _finder;
    private readonly byte[] _request = new byte[NetlinkBatch.MaximumMessageSize];

    internal ExpectationCreator(NetworkNamespace? networkNamespace)
    {
        _connection = NetlinkConnection.Open(networkNamespace);
        _finder = new ExpectationFinder(networkNamespace);
    }

    /// <summary>Creates an expectation.</summary>
    /// <param name="expectation">What to create; its id is the kernel's to give.</param>
    /// <param name="force">Where it exists already with the same mask and master, it gets the timeout.</param>
    /// <returns>The expectation as the kernel has it then; null where it is gone already.</returns>
    /// <exception cref="NetlinkException">The kernel refused. EEXIST: one that meets the tuple exists. EBUSY: one would
    /// meet some of the same connections. ENOENT: no master. EOPNOTSUPP: the master has no helper. EINVAL: a class or
    /// function that there is not. EMFILE: there are as many as there may be.</exception>
    public ConntrackExpectation? Create(ConntrackExpectation expectation, bool force = false)
    {
        ArgumentNullException.ThrowIfNull(expectation);
        try
        {
            _connection.Request(ExpectationRequests.Create(_request, expectation), "create an expectation");
        }
        catch (NetlinkException exception) when (force && exception.Errno == Errno.Exists && IsThere(expectation))
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
    }

    private bool IsThere(ConntrackExpectation expectation) => Find(expectation) is { } present
        && present.Expected == expectation.Expected
        && present.Mask.Source == expectation.Mask.Source
        && present.Mask.SourcePort == expectation.Mask.SourcePort
        && present.Master == expectation.Master;

    private ConntrackExpectation? Find(ConntrackExpectation expectation) => _finder.Find(expectation.Expected, expectation.Zone ?? 0);
}
