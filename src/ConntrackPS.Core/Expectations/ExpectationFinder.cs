using ConntrackPS.Conntrack;
using ConntrackPS.Expectations.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Expectations;

/// <summary>Looks expectations up one by one, as the kernel does when a connection begins.</summary>
/// <remarks>For one thread at a time.</remarks>
public sealed class ExpectationFinder : IDisposable
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
