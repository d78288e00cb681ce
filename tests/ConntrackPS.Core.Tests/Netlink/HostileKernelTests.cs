using System.Diagnostics;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Netlink;

/// <summary>A kernel that sends wrong netlink messages, in thousands of random ways. A small model computes the expected result of each:
/// the numbers in correct answers, and the correct end.</summary>
public sealed class HostileKernelTests
{
    private const int Scripts = 3000;
    private const uint Own = 1;
    private const string Malformed = "malformed", Silence = nameof(Errno.TimedOut), Complete = "complete", Interrupted = "interrupted";

    /// <summary>Added last to scripts without an end. Waiting for a timeout would take long, and be unreliable.</summary>
    private static readonly Step Last = new([Messages.Error(Own, Errno.NotFound)], [], nameof(Errno.NotFound));

    /// <summary>One datagram and its expected result.</summary>
    private sealed record Step(byte[][] Messages, int[] Numbers, string? End = null, bool Interrupts = false);

    [Fact]
    public void A_dump_hands_over_what_was_answered_and_ends_as_it_was_ended()
    {
        Random random = new(8);
        HashSet<string> ends = [];
        for (int script = 0; script < Scripts; script++)
        {
            Step[] steps = MakeScript(random, 12);
            (List<int> numbers, string end, bool interrupted) = Model(steps);
            if (interrupted && end == Complete)
                end = Interrupted;
            using FakeKernel kernel = new();
            foreach (Step step in steps)
                kernel.Answer(step.Messages);
            DumpReader dump = kernel.Connection.Dump(Messages.Data(0), "list");
            List<int> read = [];
            string seen = EndOf(() =>
            {
                while (dump.Read(message => read.Add(message.ResourceId)))
                {
                }
            });
            Assert.Equal((script, end), (script, seen));
            Assert.Equal(numbers, read);
            ends.Add(seen);
        }

        Assert.Equal([nameof(Errno.Busy), nameof(Errno.NotFound), Complete, Interrupted, Malformed], ends.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_request_believes_its_own_answer_alone()
    {
        Random random = new(9);
        for (int script = 0; script < Scripts; script++)
        {
            Step[] steps = MakeScript(random, 6);
            (List<int> numbers, string end, _) = Model(steps);
            using FakeKernel kernel = new();
            foreach (Step step in steps)
                kernel.Answer(step.Messages);
            List<int> read = [];
            string seen = EndOf(() => kernel.Connection.Request(Messages.Data(0), "ask", message => read.Add(message.ResourceId)));
            Assert.Equal((script, end), (script, seen));
            Assert.Equal(numbers, read);
        }
    }

    /// <summary>Answers in any order, some twice, mixed with those of other senders.</summary>
    [Fact]
    public void A_batch_reports_each_refusal_at_its_place_in_whatever_order_they_come()
    {
        Random random = new(10);
        for (int script = 0; script < Scripts; script++)
        {
            uint count = (uint)random.Next(1, 8);
            using FakeKernel kernel = new();
            NetlinkBatch batch = kernel.Connection.CreateBatch("change");
            for (int i = 0; i < count; i++)
            {
                Messages.Data(0).CopyTo(batch.NextMessage);
                batch.Add(20);
            }

            uint[] refused = [.. Enumerable.Range(1, (int)count).Select(number => (uint)number).Where(_ => random.Next(3) == 0)];
            List<byte[]> answers = [.. refused.Select(number => Messages.Error(number, Errno.NotFound)), Messages.Error(count + 1, Errno.Busy)];
            if (!refused.Contains(count))
                answers.Add(Messages.Acknowledgement(count));
            answers.Add(answers[random.Next(answers.Count)]);
            foreach (byte[] answer in answers.OrderBy(_ => random.Next()))
                kernel.Answer(answer);

            HashSet<int> reported = [];
            batch.Send((index, _) => reported.Add(index));
            Assert.Equal(refused.Select(number => (int)number - 1), reported.Order());
        }
    }

    /// <summary>Messages for other requests do not extend the time that the kernel has to answer.</summary>
    [Fact]
    public void Strangers_that_never_stop_don_t_keep_a_request_waiting()
    {
        using FakeKernel kernel = new(TimeSpan.FromMilliseconds(200));
        using CancellationTokenSource enough = new();
        Thread talking = new(() =>
        {
            while (!enough.IsCancellationRequested)
            {
                kernel.Answer(Messages.Data(7), Messages.Acknowledgement(9));
                Thread.Sleep(10);
            }
        });
        talking.Start();
        string? seen = null;
        Thread asking = new(() => seen = EndOf(() => kernel.Connection.Request(Messages.Data(0), "ask")));
        asking.Start();
        bool ended = Wait.For(asking);
        enough.Cancel();
        kernel.Connection.Cancel();
        Assert.True(Wait.For(talking));
        Assert.True(ended, "The request still waits.");
        Assert.Equal(Silence, seen);
    }

    [Fact]
    public void A_dump_without_end_ends_when_it_is_cancelled()
    {
        using FakeKernel kernel = new();
        DumpReader dump = kernel.Connection.Dump(Messages.Data(0), "list");
        for (int round = 0; round < 1000; round++)
        {
            kernel.Answer(Messages.Data(Own, 1), Messages.Data(Own, 2));
            Assert.True(dump.Read(_ => { }));
        }

        kernel.Answer(Messages.Data(Own, 3));
        kernel.Connection.Cancel();
        Assert.Throws<OperationCanceledException>(() => dump.Read(_ => { }));
    }

    [Fact]
    public void An_answer_that_comes_late_is_waited_for()
    {
        using FakeKernel kernel = new();
        Thread answering = new(() =>
        {
            Thread.Sleep(100);
            kernel.Answer(Messages.Data(Own, 5));
            Thread.Sleep(100);
            kernel.Answer(Messages.Acknowledgement(Own));
        });
        answering.Start();
        List<int> read = [];
        kernel.Connection.Request(Messages.Data(0), "ask", message => read.Add(message.ResourceId));
        Assert.Equal([5], read);
        Assert.True(Wait.For(answering));
    }

    private static Step[] MakeScript(Random random, int maximum) =>
        [.. Enumerable.Range(0, random.Next(maximum)).Select(_ => MakeStep(random)), Last];

    private static Step MakeStep(Random random)
    {
        ushort number = (ushort)random.Next(1, 60000);
        return random.Next(16) switch
        {
            < 5 => new Step([Messages.Data(Own, number)], [number]),
            5 => new Step([Messages.Data(Own, number), Messages.Data(Own, number)], [number, number]),
            6 => new Step([Messages.Data(99, number), Messages.Data(Own, number), Messages.Done(98, Errno.Busy)], [number]),
            7 => new Step([Messages.Error(2, Errno.Busy), Messages.Acknowledgement(0)], []),
            8 => new Step([Messages.Data(7, number, MessageFlags.DumpInterrupted)], []),
            9 => new Step([Messages.Data(Own, number, MessageFlags.Multi | MessageFlags.DumpInterrupted)], [number], Interrupts: true),
            10 => new Step([], []),
            11 => new Step([Messages.Message(1, Own), Messages.Message(4, Own)], []),
            12 => new Step([Messages.Data(Own, number)[..random.Next(1, 20)]], [], Malformed),
            13 => new Step([Messages.Message(Messages.DataType, Own, MessageFlags.None, new byte[NetlinkProtocol.DatagramSize])], [], Malformed),
            14 => new Step([Messages.Data(Own, number), Messages.Error(Own, Errno.Busy), Messages.Data(Own, 1)], [number], nameof(Errno.Busy)),
            _ => new Step([Messages.Data(Own, number), Messages.Done(Own), Messages.Data(Own, 1)], [number], Complete),
        };
    }

    private static (List<int> Numbers, string End, bool Interrupted) Model(Step[] steps)
    {
        int told = Array.FindIndex(steps, step => step.End is not null);
        Step[] heard = steps[..(told + 1)];
        return ([.. heard.SelectMany(step => step.Numbers)], steps[told].End!, heard.Any(step => step.Interrupts));
    }

    private static string EndOf(Action action) => Record.Exception(action) switch
    {
        null => Complete,
        NetlinkProtocolException => Malformed,
        IncompleteListingException => Interrupted,
        NetlinkException refused => refused.Errno.ToString(),
        Exception other => throw new UnreachableException("Nothing else may come out.", other),
    };
}
