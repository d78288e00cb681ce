using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Netlink;

public sealed class NetlinkConnectionTests : IDisposable
{
    private readonly FakeKernel _kernel = new();

    public void Dispose() => _kernel.Dispose();

    [Fact]
    public void A_request_is_sent_with_its_sequence_number()
    {
        _kernel.Answer(Messages.Acknowledgement(1));
        Ask();
        _kernel.Answer(Messages.Acknowledgement(2));
        Ask();
        Assert.Equal(Messages.Data(1, 0, MessageFlags.Ack), _kernel.ReadRequest());
        Assert.Equal(Messages.Data(2, 0, MessageFlags.Ack), _kernel.ReadRequest());
    }

    [Fact]
    public void Data_before_the_acknowledgement_is_handed_over_in_order()
    {
        _kernel.Answer(Messages.Data(1, 1), Messages.Data(1, 2));
        _kernel.Answer(Messages.Data(1, 3), Messages.Acknowledgement(1));
        Assert.Equal([1, 2, 3], Ask());
    }

    [Fact]
    public void A_refusal_tells_operation_errno_message_and_offset()
    {
        _kernel.Answer(Messages.Error(1, Errno.InvalidArgument, Messages.KernelMessage("no"), Messages.Offset(24)));
        NetlinkException exception = Assert.Throws<NetlinkException>(Ask);
        Assert.Equal(("ask", Errno.InvalidArgument, "no", 24u), (exception.Operation, exception.Errno, exception.KernelMessage, exception.AttributeOffset));
    }

    [Fact]
    public void A_refusal_with_the_whole_request_in_it_is_understood_too()
    {
        _kernel.Answer(Messages.UncappedError(1, Errno.OutOfRange, Messages.Data(1), Messages.KernelMessage("no"), Messages.Offset(24)));
        NetlinkException exception = Assert.Throws<NetlinkException>(Ask);
        Assert.Equal((Errno.OutOfRange, "no", 24u), (exception.Errno, exception.KernelMessage, exception.AttributeOffset));
    }

    [Fact]
    public void Answers_to_another_request_are_ignored()
    {
        _kernel.Answer(Messages.Error(7, Errno.Busy), Messages.Data(7, 9), Messages.Done(0));
        _kernel.Answer(Messages.Data(1, 1), Messages.Error(2, Errno.Busy), Messages.Acknowledgement(1));
        Assert.Equal([1], Ask());
    }

    [Fact]
    public void Control_messages_without_meaning_here_are_skipped()
    {
        _kernel.Answer(Messages.Message(1, 1), Messages.Message(4, 1), Messages.Acknowledgement(1));
        Assert.Empty(Ask());
    }

    [Fact]
    public void A_request_after_a_refused_one_works()
    {
        _kernel.Answer(Messages.Error(1, Errno.Busy));
        Assert.Throws<NetlinkException>(Ask);
        _kernel.Answer(Messages.Acknowledgement(2));
        Assert.Empty(Ask());
    }

    [Fact]
    public void No_answer_in_time_is_an_error_that_says_so()
    {
        using FakeKernel silent = new(TimeSpan.FromMilliseconds(50));
        NetlinkException exception = Assert.Throws<NetlinkException>(() => silent.Connection.Request(Messages.Data(0), "ask"));
        Assert.Equal(Errno.TimedOut, exception.Errno);
        Assert.Contains("no answer within", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_datagram_larger_than_the_buffer_is_an_error_and_not_cut()
    {
        _kernel.Answer(Messages.Message(Messages.DataType, 1, MessageFlags.None, new byte[NetlinkProtocol.DatagramSize]));
        Assert.Contains("32784 bytes", Assert.Throws<NetlinkProtocolException>(Ask).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_datagram_as_large_as_the_buffer_is_read()
    {
        byte[] acknowledgement = Messages.Acknowledgement(1);
        int payload = NetlinkProtocol.DatagramSize - acknowledgement.Length - 16;
        _kernel.Answer(Messages.Message(Messages.DataType, 1, MessageFlags.None, new byte[payload]), acknowledgement);
        Assert.Single(Ask());
    }

    [Fact]
    public void A_malformed_answer_is_a_protocol_error()
    {
        _kernel.Answer([1, 2, 3]);
        Assert.Throws<NetlinkProtocolException>(Ask);
    }

    [Fact]
    public void Cancel_ends_a_wait_from_another_thread()
    {
        Exception? exception = null;
        Thread waiting = new(() => exception = Record.Exception(Ask));
        waiting.Start();

        // The request is sent, so the thread is waiting for its answer, or will be soon.
        Assert.True(Wait.Until(() => _kernel.ReadRequest().Length > 0));
        _kernel.Connection.Cancel();
        Assert.True(Wait.For(waiting));
        Assert.IsType<OperationCanceledException>(exception);
    }

    [Fact]
    public void After_Cancel_every_receive_ends_even_with_an_answer_there()
    {
        _kernel.Answer(Messages.Acknowledgement(1));
        _kernel.Connection.Cancel();
        Assert.Throws<OperationCanceledException>(Ask);
        Assert.Throws<OperationCanceledException>(Ask);
    }

    private List<int> Ask()
    {
        List<int> numbers = [];
        _kernel.Connection.Request(Messages.Data(0, 0, MessageFlags.Ack), "ask", message => numbers.Add(message.ResourceId));
        return numbers;
    }
}
