using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Netlink;

public sealed class NetlinkBatchTests : IDisposable
{
    private readonly FakeKernel _kernel = new();
    private readonly List<(int Index, NetlinkAnswer Answer)> _refusals = [];

    public void Dispose() => _kernel.Dispose();

    [Fact]
    public void All_messages_go_out_together_with_numbers_of_their_own_and_the_last_wants_an_answer()
    {
        NetlinkBatch batch = Start(3);
        Assert.Equal(3, batch.Count);
        _kernel.Answer(Messages.Acknowledgement(3));
        Send(batch);
        Assert.Equal([.. Messages.Data(1), .. Messages.Data(2), .. Messages.Data(3, 0, MessageFlags.Multi | MessageFlags.Ack)], _kernel.ReadRequest());
        Assert.Equal(0, batch.Count);
        Assert.Empty(_refusals);
    }

    [Fact]
    public void An_empty_batch_sends_nothing()
    {
        Send(Start(0));
        Assert.Empty(_kernel.ReadRequest());
    }

    [Fact]
    public void Refusals_come_with_the_place_of_their_message()
    {
        _kernel.Answer(Messages.Error(2, Errno.NotFound));
        _kernel.Answer(Messages.Error(5, Errno.Busy, Messages.KernelMessage("busy"), Messages.Offset(20)));
        Send(Start(5));
        Assert.Equal([(1, new NetlinkAnswer(Errno.NotFound, null, null)), (4, new NetlinkAnswer(Errno.Busy, "busy", 20))], _refusals);
    }

    [Fact]
    public void Several_refusals_in_one_datagram_are_all_reported()
    {
        _kernel.Answer(Messages.Error(1, Errno.NotFound), Messages.Error(3, Errno.NotFound), Messages.Acknowledgement(4));
        Send(Start(4));
        Assert.Equal([0, 2], _refusals.Select(refusal => refusal.Index));
    }

    [Fact]
    public void Acknowledgements_and_strangers_answers_are_no_refusals()
    {
        _kernel.Answer(
            Messages.Acknowledgement(1), Messages.Error(4, Errno.Busy), Messages.Error(0, Errno.Busy), Messages.Data(1),
            Messages.Done(1, Errno.Busy), Messages.Acknowledgement(3));
        Send(Start(3));
        Assert.Empty(_refusals);
    }

    /// <summary>The kernel answers like this if the sender lacks CAP_NET_ADMIN.</summary>
    [Fact]
    public void A_batch_of_which_only_the_first_message_is_answered_was_refused_as_a_whole()
    {
        _kernel.Answer(Messages.Error(1, Errno.NotPermitted));
        NetlinkException exception = Assert.Throws<NetlinkException>(() => Send(Start(3)));
        Assert.Equal(("change", Errno.NotPermitted), (exception.Operation, exception.Errno));
    }

    [Fact]
    public void A_batch_that_is_not_answered_at_all_is_a_protocol_error() =>
        Assert.Throws<NetlinkProtocolException>(() => Send(Start(3)));

    [Fact]
    public void A_second_batch_counts_its_places_from_0_again()
    {
        NetlinkBatch batch = Start(3);
        _kernel.Answer(Messages.Acknowledgement(3));
        Send(batch);
        Add(batch, 2);
        _kernel.Answer(Messages.Error(2, Errno.Busy), Messages.Error(5, Errno.NotFound));
        Send(batch);
        Assert.Equal([(1, new NetlinkAnswer(Errno.NotFound, null, null))], _refusals);
    }

    [Fact]
    public void A_batch_is_full_before_its_bytes_or_the_room_for_refusals_run_out()
    {
        NetlinkBatch batch = Start(0);
        byte[] big = Messages.Message(Messages.DataType, 0, MessageFlags.None, new byte[NetlinkBatch.MaximumMessageSize - 16]);
        while (!batch.IsFull)
            Add(batch, big);
        Assert.True(batch.Count > 1);
        _kernel.Answer(Messages.Acknowledgement((uint)batch.Count));
        Send(batch);
        Assert.True(_kernel.ReadRequest().Length >= big.Length * 2);
        Assert.False(batch.IsFull);

        while (!batch.IsFull)
            Add(batch, 1);
        Assert.InRange(batch.Count, 2, _kernel.Socket.ReceiveBufferSize / 832);
    }

    /// <summary>Otherwise refusals would be lost, and their messages would count as done. The system's limit (net.core.rmem_max) decides
    /// the size: with the usual 208 KiB it is a few hundred messages.</summary>
    [Fact]
    public void Where_larger_buffers_are_refused_a_batch_still_holds_no_more_than_its_answers_have_room()
    {
        using NetworkNamespaceFixture ns = new();
        (int count, int room) = Unprivileged.Run(ns.Namespace, () =>
        {
            using FakeKernel kernel = new();
            NetlinkBatch batch = kernel.Connection.CreateBatch("change");
            while (!batch.IsFull)
                Add(batch, 1);
            return (batch.Count, kernel.Socket.ReceiveBufferSize);
        });
        Assert.InRange(count, 2, room / 832);
    }

    [Fact]
    public void A_malformed_answer_is_a_protocol_error_and_the_batch_is_empty_afterwards()
    {
        _kernel.Answer([1, 2, 3]);
        NetlinkBatch batch = Start(2);
        Assert.Throws<NetlinkProtocolException>(() => Send(batch));
        Assert.Equal(0, batch.Count);
    }

    private NetlinkBatch Start(int count)
    {
        NetlinkBatch batch = _kernel.Connection.CreateBatch("change");
        Add(batch, count);
        return batch;
    }

    private static void Add(NetlinkBatch batch, int count)
    {
        for (int i = 0; i < count; i++)
            Add(batch, Messages.Data(0));
    }

    private static void Add(NetlinkBatch batch, byte[] message)
    {
        message.CopyTo(batch.NextMessage);
        batch.Add(message.Length);
    }

    private void Send(NetlinkBatch batch) => batch.Send((index, answer) => _refusals.Add((index, answer)));
}
