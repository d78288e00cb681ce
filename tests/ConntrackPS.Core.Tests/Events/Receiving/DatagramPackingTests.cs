using ConntrackPS.Events.Receiving;
using ConntrackPS.Tests.Conntrack.Wire;
using Xunit.Abstractions;

namespace ConntrackPS.Tests.Events.Receiving;

public sealed class DatagramPackingTests(ITestOutputHelper output)
{
    private const int Seed = 20261203;

    private readonly DatagramPacker _packer = new();
    private readonly DatagramUnpacker _unpacker = new();

    [Fact]
    public void Datagrams_of_every_length_and_likeness_come_out_as_they_went_in()
    {
        output.WriteLine($"seed {Seed}");
        Random random = new(Seed);
        List<byte[]> datagrams = [.. Enumerable.Range(1, 300).Select(length => new byte[length]), new byte[1024], new byte[1025], new byte[32_768]];
        for (int round = 0; round < 20_000; round++)
        {
            byte[] datagram = datagrams[random.Next(20) == 0 ? random.Next(datagrams.Count) : round % 7 * 30];
            for (int change = random.Next(12); change > 0; change--)
                datagram[random.Next(datagram.Length)] = (byte)random.Next(256);
            RoundTrip(datagram);
        }
    }

    [Fact]
    public void Noise_takes_no_more_than_the_most_that_is_said()
    {
        Random random = new(Seed);
        for (int length = 1; length <= 2000; length += random.Next(1, 40))
        {
            byte[] noise = new byte[length];
            random.NextBytes(noise);
            Assert.InRange(RoundTrip(noise), length, DatagramPacker.MaximumSize(length));
        }
    }

    /// <summary>The basis for the size of the backlog: alternating New and Destroy events with different ports, ids and times.</summary>
    [Fact]
    public void Events_of_a_burst_take_a_fifth_of_their_length()
    {
        Random random = new(Seed);
        byte[] began = [.. CapturedMessage.Get("event-tcp-ipv4-new").Bytes], ended = [.. began];
        ended[4] = 2;
        int length = 0, packed = 0;
        for (int i = 0; i < 1000; i++)
        {
            byte[] datagram = i % 2 == 0 ? began : ended;
            foreach (int word in (int[])[32, 60, 68, 84, 112, 128, 144])
                random.NextBytes(datagram.AsSpan(word, 4));
            length += datagram.Length;
            packed += RoundTrip(datagram);
        }

        Assert.InRange(packed, 1, length / 5);
    }

    private int RoundTrip(byte[] datagram)
    {
        byte[] target = new byte[DatagramPacker.MaximumSize(datagram.Length) + 5];
        int size = _packer.Pack(datagram, target);
        ReadOnlySpan<byte> packed = target;
        Assert.True(_unpacker.Unpack(ref packed).SequenceEqual(datagram));
        Assert.Equal(target.Length - size, packed.Length);
        return size;
    }
}
