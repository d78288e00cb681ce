using ConntrackPS.Linux;

namespace ConntrackPS.Events;

/// <summary>Whether the kernel makes events at all (nf_conntrack_events): 0 never; 2, the default, for connections that
/// begin while somebody listens; 1 for all, at 6 to 10 percent of the speed of connection set-up.</summary>
internal static class EventSwitch
{
    private const string Setting = Sysctl.Netfilter + "nf_conntrack_events";

    /// <summary>Reads the setting.</summary>
    /// <exception cref="EventsUnavailableException">This kernel has no events.</exception>
    public static long Read(NetworkNamespace? networkNamespace) =>
        Sysctl.ReadNumber(Setting, networkNamespace) ?? throw new EventsUnavailableException();

    /// <summary>Turns events on for all connections, until the result is disposed, which puts the setting back.</summary>
    /// <exception cref="EventsUnavailableException">This kernel has no events.</exception>
    /// <exception cref="UnauthorizedAccessException">That needs CAP_NET_ADMIN.</exception>
    public static IDisposable Enable(NetworkNamespace? networkNamespace)
    {
        long before = Read(networkNamespace);
        if (before != 1)
            Sysctl.WriteNumber(Setting, 1, networkNamespace);
        return new Restorer(before, networkNamespace);
    }

    private sealed class Restorer(long before, NetworkNamespace? networkNamespace) : IDisposable
    {
        private bool _done;

        public void Dispose()
        {
            if (_done || before == 1)
                return;
            _done = true;
            try
            {
                Sysctl.WriteNumber(Setting, before, networkNamespace);
            }
            catch (NetworkNamespaceException)
            {
                // Gone, and its settings with it.
            }
        }
    }
}

/// <summary>This kernel tracks connections, but has no events: it was built without CONFIG_NF_CONNTRACK_EVENTS.</summary>
internal sealed class EventsUnavailableException() : ConntrackUnavailableException("This kernel was built without connection-tracking events.");
