using BenchmarkDotNet.Attributes;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Netlink;

namespace ConntrackPS.Bench.Codec;

/// <summary>One entry into the message that creates or deletes it.</summary>
public class EncoderBenchmarks
{
    private readonly byte[] _buffer = new byte[NetlinkBatch.MaximumMessageSize];
    private ConntrackEntry? _entry;

    /// <summary>Which entry.</summary>
    [Params(CapturedKind.Tcp, CapturedKind.Udp, CapturedKind.TcpIPv6)]
    public CapturedKind Kind { get; set; }

    /// <summary>Decodes the captured entry.</summary>
    [GlobalSetup]
    public void Setup() => _entry = EntryDecoder.Decode(new NetlinkMessage(Captured.Message(Kind)));

    /// <summary>IPCTNL_MSG_CT_NEW.</summary>
    [Benchmark]
    public int Create() => EntryEncoder.Create(_buffer, _entry!, MessageFlags.Create);

    /// <summary>IPCTNL_MSG_CT_DELETE.</summary>
    [Benchmark]
    public int Delete() => TableRequests.Delete(_buffer, (EntryAddress.Of(EntryKey.Of(_entry!)), _entry!.Data.Id));
}
