using BenchmarkDotNet.Attributes;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Netlink;

namespace ConntrackPS.Bench.Codec;

/// <summary>One message of a dump into one entry.</summary>
public class DecoderBenchmarks
{
    private byte[] _message = [];

    /// <summary>Which message.</summary>
    [ParamsAllValues]
    public CapturedKind Kind { get; set; }

    /// <summary>Takes the message's bytes.</summary>
    [GlobalSetup]
    public void Setup() => _message = Captured.Message(Kind);

    /// <summary>Decodes it.</summary>
    [Benchmark]
    public ConntrackEntry Decode() => EntryDecoder.Decode(new NetlinkMessage(_message));
}
