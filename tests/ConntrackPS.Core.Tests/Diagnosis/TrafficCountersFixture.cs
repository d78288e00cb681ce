using System.Net;
using System.Net.Sockets;
using ConntrackPS.Conntrack;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Diagnosis;

/// <summary>A namespace with invalid packets and an expectation, so that counters are not 0.</summary>
public sealed class TrafficCountersFixture : IDisposable
{
    public TrafficCountersFixture()
    {
        Namespace = new NetworkNamespaceFixture();
        try
        {
            MakeInvalidPackets();
            TableFiller.Fill(Namespace, 20);
            MakeExpectation();
        }
        catch
        {
            Namespace.Dispose();
            throw;
        }
    }

    public NetworkNamespaceFixture Namespace { get; }

    public void Dispose() => Namespace.Dispose();

    /// <summary>Data of a connection that started before tracking, and that may not be picked up.</summary>
    private void MakeInvalidPackets()
    {
        (TcpListener listener, TcpClient client) = Namespace.Namespace.Run(() =>
        {
            TcpListener listener = new(IPAddress.Loopback, 0);
            listener.Start();
            TcpClient client = new();
            client.Connect((IPEndPoint)listener.LocalEndpoint);
            return (listener, client);
        });
        using (listener)
        using (client)
        {
            using TcpClient server = listener.AcceptTcpClient();
            Namespace.SetConntrackSetting("nf_conntrack_tcp_loose", 0);
            Namespace.TrackPackets();
            client.GetStream().Write([1, 2, 3]);
            Assert.Equal(3, server.GetStream().Read(new byte[3]));
        }
    }

    private void MakeExpectation()
    {
        ConntrackEntry master = Entries.Tcp("192.0.2.1", 4000, "198.51.100.7", 21).WithState(ConntrackState.Established);
        master.MakeDetails().Helper = "ftp";
        Assert.True(TableFiller.TryCreate(Namespace, master), "The kernel has no helper for ftp.");
        Namespace.Exec(
            "conntrack", "-I", "expect", "-p", "tcp", "-t", "60", "--orig-src", "192.0.2.1", "--orig-dst", "198.51.100.7",
            "--sport", "4000", "--dport", "21", "--tuple-src", "198.51.100.7", "--tuple-dst", "192.0.2.1", "--tuple-port-src", "20",
            "--tuple-port-dst", "5000", "--mask-src", "255.255.255.255", "--mask-dst", "255.255.255.255", "--mask-port-src", "0", "--mask-port-dst", "65535");
    }
}
