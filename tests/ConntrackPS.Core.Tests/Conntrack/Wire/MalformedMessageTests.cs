using ConntrackPS.Netlink;

namespace ConntrackPS.Tests.Conntrack.Wire;

/// <summary>Truncated messages and wrong lengths: the result is a protocol error or an entry with fewer values, and nothing else.</summary>
public sealed class MalformedMessageTests
{
    public static TheoryData<string> Names => CapturedMessage.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public void A_message_cut_anywhere_is_a_protocol_error(string name)
    {
        CapturedMessage message = CapturedMessage.Get(name);
        byte[] whole = message.Bytes;
        for (int length = 1; length < whole.Length; length++)
            Assert.Throws<NetlinkProtocolException>(() => message.DecodeLike(whole[..length]));
    }

    /// <summary>The header has the shorter length, so that attributes are truncated or missing.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void A_message_that_ends_early_is_a_shorter_entry_or_a_protocol_error(string name)
    {
        CapturedMessage message = CapturedMessage.Get(name);
        byte[] whole = message.Bytes;
        List<int> boundaries = TopLevelBoundaries(whole);
        for (int length = 16; length < whole.Length; length++)
        {
            byte[] part = whole[..length];
            BitConverter.TryWriteBytes(part, length);
            Exception? exception = Record.Exception(() => message.DecodeLike(part));
            if (boundaries.Contains(length))
                Assert.Null(exception);
            else
                AssertHarmless(exception, $"{name} cut to {length}");
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void An_attribute_that_lies_about_its_length_does_no_harm(string name)
    {
        CapturedMessage message = CapturedMessage.Get(name);
        byte[] whole = message.Bytes;
        foreach (int offset in AttributeTree.Offsets(whole))
        {
            int length = BitConverter.ToUInt16(whole, offset);
            foreach (int claimed in (int[])[0, 1, 2, 3, length - 1, length + 1, length + 4, length + 100, 0xffff])
            {
                byte[] malformed = [.. whole];
                BitConverter.TryWriteBytes(malformed.AsSpan(offset), (ushort)claimed);
                Exception? exception = Record.Exception(() => message.DecodeLike(malformed));
                AssertHarmless(exception, $"{name} at {offset}: {claimed} for {length}");
                if (claimed < 4 || claimed > whole.Length)
                    Assert.True(exception is not null, $"{name} at {offset}: {claimed} for {length} was believed.");
            }
        }
    }

    private static void AssertHarmless(Exception? exception, string what) =>
        Assert.True(exception is null or NetlinkProtocolException, $"{what}: {exception}");

    private static List<int> TopLevelBoundaries(byte[] message)
    {
        List<int> boundaries = [];
        for (int offset = 20; offset < message.Length; offset += (BitConverter.ToUInt16(message, offset) + 3) & ~3)
            boundaries.Add(offset);
        return boundaries;
    }
}
