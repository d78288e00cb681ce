using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Netlink;

public sealed class DumpReaderTests : IDisposable
{
    private readonly FakeKernel _kernel = new();
    private readonly List<int> _numbers = [];

    public void Dispose() => _kernel.Dispose();

    [Fact]
    public void A_dump_is_read_a_datagram_at_a_time_until_it_is_done()
    {
        _kernel.Answer(Messages.Data(1, 1), Messages.Data(1, 2));
        _kernel.Answer(Messages.Data(1, 3));
        _kernel.Answer(Messages.Done(1));
        DumpReader dump = Start();
        Assert.True(Read(dump));
        Assert.Equal([1, 2], _numbers);
        Assert.True(Read(dump));
        Assert.Equal([1, 2, 3], _numbers);
        Assert.True(Read(dump));
        Assert.False(Read(dump));
        Assert.False(Read(dump));
        Assert.Equal([1, 2, 3], _numbers);
    }

    [Fact]
    public void The_end_may_come_with_the_last_data()
    {
        _kernel.Answer(Messages.Data(1, 1), Messages.Done(1), Messages.Data(1, 2));
        DumpReader dump = Start();
        Assert.True(Read(dump));
        Assert.False(Read(dump));
        Assert.Equal([1], _numbers);
    }

    [Fact]
    public void A_refused_dump_throws_at_once()
    {
        _kernel.Answer(Messages.Error(1, Errno.NotPermitted));
        DumpReader dump = Start();
        Assert.Equal(Errno.NotPermitted, Assert.Throws<NetlinkException>(() => Read(dump)).Errno);
        Assert.False(Read(dump));
    }

    [Fact]
    public void An_error_in_the_middle_comes_after_the_data_before_it()
    {
        _kernel.Answer(Messages.Data(1, 1));
        _kernel.Answer(Messages.Data(1, 2), Messages.Error(1, Errno.OutOfMemory), Messages.Data(1, 3));
        DumpReader dump = Start();
        Assert.True(Read(dump));
        Assert.Equal(Errno.OutOfMemory, Assert.Throws<NetlinkException>(() => Read(dump)).Errno);
        Assert.Equal([1, 2], _numbers);
        Assert.False(Read(dump));
    }

    [Fact]
    public void An_end_with_an_error_throws_with_the_kernel_s_words()
    {
        _kernel.Answer(Messages.Data(1, 1), Messages.Done(1, Errno.NoBuffers, Messages.KernelMessage("no room")));
        NetlinkException exception = Assert.Throws<NetlinkException>(() => Read(Start()));
        Assert.Equal((Errno.NoBuffers, "no room"), (exception.Errno, exception.KernelMessage));
    }

    [Fact]
    public void An_acknowledgement_without_data_ends_the_dump()
    {
        // The kernel's answer if it accepts no dump request. Without it, the reader would wait forever.
        _kernel.Answer(Messages.Acknowledgement(1));
        DumpReader dump = Start();
        Assert.True(Read(dump));
        Assert.False(Read(dump));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_interrupted_dump_goes_on_and_cannot_end_as_if_it_were_whole(bool onData)
    {
        _kernel.Answer(Messages.Data(1, 1, onData ? MessageFlags.Multi | MessageFlags.DumpInterrupted : MessageFlags.Multi));
        _kernel.Answer(Messages.Data(1, 2));
        _kernel.Answer(Messages.Message(3, 1, onData ? MessageFlags.Multi : MessageFlags.Multi | MessageFlags.DumpInterrupted, 0, 0, 0, 0));
        DumpReader dump = Start();
        Assert.True(Read(dump));
        Assert.True(Read(dump));
        Assert.Contains("every attempt to list (1 in all)", Assert.Throws<IncompleteListingException>(() => Read(dump)).Message, StringComparison.Ordinal);
        Assert.Equal([1, 2], _numbers);
        Assert.False(Read(dump));
    }

    [Fact]
    public void A_refusal_says_more_than_an_interruption()
    {
        _kernel.Answer(Messages.Data(1, 1, MessageFlags.Multi | MessageFlags.DumpInterrupted));
        _kernel.Answer(Messages.Done(1, Errno.NoBuffers));
        DumpReader dump = Start();
        Assert.True(Read(dump));
        Assert.Throws<NetlinkException>(() => Read(dump));
    }

    /// <summary>The collected results are discarded when a listing starts again.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5)]
    public void A_whole_reading_begins_again_until_one_was_not_interrupted(int interruptions)
    {
        for (uint attempt = 1; attempt <= interruptions; attempt++)
            _kernel.Answer(Messages.Data(attempt, 7, MessageFlags.Multi | MessageFlags.DumpInterrupted), Messages.Done(attempt));
        _kernel.Answer(Messages.Data((uint)interruptions + 1, 1), Messages.Data((uint)interruptions + 1, 2), Messages.Done((uint)interruptions + 1));
        ReadAll();
        Assert.Equal([1, 2], _numbers);
    }

    [Fact]
    public void A_whole_reading_that_is_interrupted_each_time_is_an_error()
    {
        for (uint attempt = 1; attempt <= 10; attempt++)
            _kernel.Answer(Messages.Data(attempt, 7, MessageFlags.Multi | MessageFlags.DumpInterrupted), Messages.Done(attempt));
        Assert.Equal(6, Assert.Throws<IncompleteListingException>(ReadAll).Attempts);
        Assert.Equal([7], _numbers);
    }

    [Fact]
    public void What_is_left_of_an_earlier_request_is_ignored()
    {
        _kernel.Answer(Messages.Data(99, 5, MessageFlags.DumpInterrupted), Messages.Done(99), Messages.Error(98, Errno.Busy));
        _kernel.Answer(Messages.Data(1, 1), Messages.Done(1));
        DumpReader dump = Start();
        while (Read(dump))
        {
        }

        Assert.Equal([1], _numbers);
    }

    [Fact]
    public void A_kernel_that_stops_in_the_middle_is_a_timeout()
    {
        using FakeKernel silent = new(TimeSpan.FromMilliseconds(50));
        silent.Answer(Messages.Data(1, 1));
        DumpReader dump = silent.Connection.Dump(Messages.Data(0), "list");
        Assert.True(Read(dump));
        Assert.Equal(Errno.TimedOut, Assert.Throws<NetlinkException>(() => Read(dump)).Errno);
    }

    [Fact]
    public void A_handler_s_exception_comes_through()
    {
        _kernel.Answer(Messages.Data(1, 1), Messages.Done(1));
        Assert.Throws<FormatException>(() => Start().Read(_ => throw new FormatException()));
    }

    private DumpReader Start() => _kernel.Connection.Dump(Messages.Data(0, 0, MessageFlags.Dump | MessageFlags.Ack), "list");

    private void ReadAll() => _kernel.Connection.ReadDump(
        Messages.Data(0, 0, MessageFlags.Dump | MessageFlags.Ack), "list", _numbers.Clear, message => _numbers.Add(message.ResourceId));

    private bool Read(DumpReader dump) => dump.Read(message => _numbers.Add(message.ResourceId));
}
