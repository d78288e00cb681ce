using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Netlink;

public sealed class NetlinkAnswerTests
{
    [Fact]
    public void Errno_0_is_an_acknowledgement()
    {
        NetlinkAnswer answer = Decode(Messages.Acknowledgement(1));
        Assert.Equal(new NetlinkAnswer(Errno.None, null, null), answer);
        answer.ThrowIfError("test");
    }

    [Fact]
    public void An_extended_ACK_follows_the_request_s_header_where_the_answer_is_capped()
    {
        NetlinkAnswer answer = Decode(Messages.Error(1, Errno.InvalidArgument, Messages.KernelMessage("no such thing"), Messages.Offset(20)));
        Assert.Equal(new NetlinkAnswer(Errno.InvalidArgument, "no such thing", 20), answer);
    }

    [Fact]
    public void An_extended_ACK_follows_the_whole_request_where_the_answer_is_not_capped()
    {
        // The request's attributes would be a valid extended ACK if they were mistaken for one.
        byte[] request = Messages.Message(Messages.DataType, 1, MessageFlags.Request, [2, 0, 0, 0, .. Messages.KernelMessage("the request's own")]);
        NetlinkAnswer answer = Decode(Messages.UncappedError(1, Errno.OutOfRange, request, Messages.Offset(36), Messages.KernelMessage("too long")));
        Assert.Equal(new NetlinkAnswer(Errno.OutOfRange, "too long", 36), answer);
    }

    [Fact]
    public void An_uncapped_request_of_odd_length_is_padded()
    {
        byte[] request = Messages.Message(Messages.DataType, 1, MessageFlags.Request, 2, 0, 0, 0, 9);
        Assert.Equal("text", Decode(Messages.UncappedError(1, Errno.Busy, request, Messages.KernelMessage("text"))).KernelMessage);
    }

    [Fact]
    public void Unknown_extended_ACK_attributes_are_skipped() =>
        Assert.Equal("text", Decode(Messages.Error(1, Errno.Busy, Messages.Attribute(99, 1, 2, 3), Messages.KernelMessage("text"))).KernelMessage);

    [Fact]
    public void The_end_of_a_dump_may_carry_an_error_and_its_reason()
    {
        Assert.Equal(default, Decode(Messages.Done(1)));
        Assert.Equal(default, Decode(Messages.Message(3, 1)));
        Assert.Equal(
            new NetlinkAnswer(Errno.NotSupported, "not this one", null),
            Decode(Messages.Done(1, Errno.NotSupported, Messages.KernelMessage("not this one"))));
    }

    [Fact]
    public void An_error_number_that_is_unknown_passes_through() =>
        Assert.Equal((Errno)4095, Decode(Messages.Error(1, (Errno)4095)).Errno);

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void An_error_without_a_number_is_a_protocol_error(int length) =>
        Assert.Throws<NetlinkProtocolException>(() => Decode(Messages.Message(2, 1, MessageFlags.None, new byte[length])));

    /// <summary>Every shorter form is a protocol error or a shorter answer, and nothing else.</summary>
    [Fact]
    public void A_truncated_answer_is_never_read_past_its_end()
    {
        byte[] whole = Messages.Error(1, Errno.InvalidArgument, Messages.KernelMessage("no such thing"), Messages.Offset(20));
        for (int length = 16; length < whole.Length; length++)
        {
            byte[] part = whole[..length];
            BitConverter.TryWriteBytes(part, length);
            Exception? exception = Record.Exception(() => Decode(part));
            Assert.True(exception is null or NetlinkProtocolException, $"{length}: {exception}");
        }
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(15u)]
    [InlineData(1000u)]
    [InlineData(uint.MaxValue)]
    public void A_request_s_length_that_lies_is_never_believed(uint length)
    {
        byte[] request = Messages.Message(Messages.DataType, 1, MessageFlags.Request, 2, 0, 0, 0);
        BitConverter.TryWriteBytes(request, length);
        Exception? exception = Record.Exception(() => Decode(Messages.UncappedError(1, Errno.Busy, request, Messages.KernelMessage("text"))));
        Assert.True(exception is null or NetlinkProtocolException, exception?.ToString());
    }

    [Fact]
    public void The_exception_tells_operation_errno_message_and_offset()
    {
        NetlinkException exception = Assert.Throws<NetlinkException>(
            () => new NetlinkAnswer(Errno.InvalidArgument, "Attribute failed policy validation", 20).ThrowIfError("create an entry"));
        Assert.Equal("create an entry", exception.Operation);
        Assert.Equal(Errno.InvalidArgument, exception.Errno);
        Assert.Equal("Attribute failed policy validation", exception.KernelMessage);
        Assert.Equal(20u, exception.AttributeOffset);
        Assert.Equal("The kernel could not create an entry: Attribute failed policy validation (EINVAL).", exception.Message);
    }

    [Fact]
    public void The_exception_of_an_unknown_errno_gives_its_number() =>
        Assert.Equal("The kernel could not x (errno 4095).", new NetlinkException("x", (Errno)4095).Message);

    private static NetlinkAnswer Decode(byte[] datagram)
    {
        MessageReader reader = new(datagram);
        Assert.True(reader.TryRead(out NetlinkMessage message));
        return NetlinkAnswer.Decode(message);
    }
}
