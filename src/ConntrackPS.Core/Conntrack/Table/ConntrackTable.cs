using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Table;

/// <summary>The connection-tracking table of a network namespace.</summary>
/// <param name="networkNamespace">Which one; null for the caller's own.</param>
public sealed class ConntrackTable(NetworkNamespace? networkNamespace = null)
{
    /// <summary>Which network namespace; null for the caller's own.</summary>
    public NetworkNamespace? NetworkNamespace { get; } = networkNamespace;

    /// <summary>Reads the entries that match, on the caller's thread.</summary>
    /// <exception cref="NetlinkException">The kernel refused: EPERM without CAP_NET_ADMIN.</exception>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking by netlink.</exception>
    public IEnumerable<ConntrackEntry> Read(ConntrackFilter? filter = null)
    {
        using EntryReader reader = OpenReader(filter);
        while (reader.ReadBatch() is { } batch)
        {
            foreach (ConntrackEntry entry in batch)
                yield return entry;
        }
    }

    /// <summary>Reads the entries that match ahead, on a thread of its own.</summary>
    /// <exception cref="NetlinkException">The kernel refused: EPERM without CAP_NET_ADMIN.</exception>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking by netlink.</exception>
    public EntryStream Open(ConntrackFilter? filter = null) => new(OpenReader(filter));

    /// <summary>Starts deleting entries one by one.</summary>
    /// <param name="keepDeleted">Whether results tell of deleted entries too, and not of refused ones alone.</param>
    public EntryDeleter CreateDeleter(bool keepDeleted = false) => Attempt(() => new EntryDeleter(NetworkNamespace, keepDeleted));

    /// <summary>Deletes every entry, or every entry of one address family.</summary>
    /// <exception cref="NetlinkException">The kernel refused: EPERM without CAP_NET_ADMIN.</exception>
    public void Clear(IPFamily family = IPFamily.Unspecified)
    {
        const string Operation = "empty the connection-tracking table";
        using NetlinkConnection connection = Attempt(() => NetlinkConnection.Open(NetworkNamespace));
        byte[] request = new byte[NetlinkBatch.MaximumMessageSize];
        if (family == IPFamily.Unspecified)
        {
            connection.Request(TableRequests.Flush(request), Operation);
            return;
        }

        try
        {
            connection.Request(TableRequests.FlushFamily(request, family), Operation);
        }
        catch (NetlinkException exception) when (exception.Errno is Errno.InvalidArgument or Errno.NotSupported)
        {
            // A kernel before 6.12: it has deleted nothing.
            DeleteEach(new ConntrackFilter { AddressFamily = family });
        }
    }

    private void DeleteEach(ConntrackFilter filter)
    {
        using EntryDeleter deleter = CreateDeleter();
        foreach (ConntrackEntry entry in Read(filter))
            deleter.Add(EntryKey.Of(entry), entry);
        deleter.Flush();
        if (deleter.TakeResults() is [{ Failure: { } failure }, ..])
            throw failure;
    }

    private EntryReader OpenReader(ConntrackFilter? filter) => Attempt(() => new EntryReader(NetworkNamespace, filter));

    private static T Attempt<T>(Func<T> open)
    {
        if (!OperatingSystem.IsLinux())
            throw new PlatformNotSupportedException("Connection tracking is a part of the Linux kernel; this system is not Linux.");
        try
        {
            return open();
        }
        catch (NetlinkException exception) when (exception.Errno is Errno.ProtocolNotSupported or Errno.AddressFamilyNotSupported)
        {
            throw new ConntrackUnavailableException("This kernel has no netfilter netlink.", exception);
        }
    }
}
