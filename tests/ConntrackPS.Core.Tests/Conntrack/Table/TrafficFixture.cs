using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>A namespace with NAT for loopback connections, and a few flows.</summary>
public sealed class TrafficFixture : IDisposable
{
    private readonly Traffic _traffic = new();

    public TrafficFixture()
    {
        Began = DateTime.Now;
        _traffic.Make();
    }

    public NetworkNamespaceFixture Namespace => _traffic.Namespace;

    public DateTime Began { get; }

    public void Dispose() => _traffic.Dispose();
}
