using System.Diagnostics;
using System.Globalization;
using ConntrackPS.Bench.Filling;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Events;
using ConntrackPS.Netlink;

namespace ConntrackPS.Bench.Events;

/// <summary>Measures events: the reading rate from a full buffer, the losses of a burst, and the time that a filter in the kernel
/// saves.</summary>
internal static class EventRace
{
    // An event needs 1,280 bytes. The kernel doubles the size of the buffer.
    private const int BytesPerEvent = 700;

    private static List<ConntrackEvent> _batch = new(512);

    public static void Run(Options options)
    {
        using TableLimit limit = new();
        limit.Raise(options.Count);
        for (int round = 0; round < options.Rounds; round++)
        {
            List<byte[]> captured = [];
            Report("raw: received and thrown away", options.Count, Drain(options, _ => { }));
            Report("core: received and decoded", options.Count, Drain(options, Decode));
            Drain(options, message => captured.Add(message.Bytes.ToArray()));
            Report("core: decoded from memory", options.Count, DecodeAll(captured));
            Burst(options);
            Filtered(options);
        }
    }

    /// <summary>Fills a buffer that has space for all events, and then reads it.</summary>
    private static TimeSpan Drain(Options options, MessageHandler onMessage)
    {
        new ConntrackTable(options.Namespace).Clear();
        using EventSubscription subscription = new(options.Namespace, new EventOptions { ReceiveBufferSize = options.Count * BytesPerEvent });
        TableFiller.Fill(options.Namespace, options.Count);
        int count = 0;
        Stopwatch watch = Stopwatch.StartNew();
        while (subscription.TryReceive(out ReadOnlySpan<byte> datagram))
        {
            count++;
            onMessage(new NetlinkMessage(datagram));
        }

        watch.Stop();
        return count == options.Count && subscription.TakeLosses() == 0
            ? watch.Elapsed
            : throw new BenchException($"only {count} of {options.Count} events came.");
    }

    private static TimeSpan DecodeAll(List<byte[]> captured)
    {
        Stopwatch watch = Stopwatch.StartNew();
        foreach (byte[] message in captured)
            Decode(new NetlinkMessage(message));
        return watch.Elapsed;
    }

    /// <summary>Stores batches of events, as the stream does.</summary>
    private static void Decode(NetlinkMessage message)
    {
        _batch.Add(EventDecoder.Decode(message)!);
        if (_batch.Count == _batch.Capacity)
            _batch = new List<ConntrackEvent>(_batch.Capacity);
    }

    /// <summary>Creates and deletes entries as fast as the kernel can, while conntrack -E listens too.</summary>
    private static void Burst(Options options)
    {
        new ConntrackTable(options.Namespace).Clear();
        using ConntrackListener listener = new(options.Namespace);
        using EventStream stream = new(new EventOptions { ReceiveBufferSize = 64 << 20 }, options.Namespace);
        Task<(long Received, long Lost)> reader = Task.Run(() => TakeAll(stream, 2L * options.Count));
        Stopwatch watch = Stopwatch.StartNew();
        TableFiller.Fill(options.Namespace, options.Count);
        new ConntrackTable(options.Namespace).Clear();
        TimeSpan made = watch.Elapsed;
        (long received, long lost) = reader.GetAwaiter().GetResult();
        Say($"burst of {options.Count} creates and deletes in {made.TotalMilliseconds:F0} ms: received {received}, lost {lost}; conntrack -E lost {listener.CountDrops()}");
    }

    /// <summary>The reader's processor time for all events, and for the hundredth that a filter in the kernel lets through.</summary>
    private static void Filtered(Options options)
    {
        // The synthetic table has 60,000 source ports, from 1024 on.
        ConntrackFilter hundredth = new() { SourcePort = [PortRange.Parse("1024-1623")] };
        TimeSpan whole = ReaderTime(options, new ConntrackFilter(), out long all);
        TimeSpan part = ReaderTime(options, hundredth, out long some);
        Say($"reader's processor time: {whole.TotalMilliseconds:F0} ms for {all} events, {part.TotalMilliseconds:F0} ms for {some} of them by a filter: {100 * part / whole:F1} %");
    }

    private static TimeSpan ReaderTime(Options options, ConntrackFilter filter, out long count)
    {
        new ConntrackTable(options.Namespace).Clear();
        using EventStream stream = new(new EventOptions { Filter = filter, EventType = [ConntrackEventType.New], ReceiveBufferSize = 64 << 20 }, options.Namespace);
        Task<long> reader = Task.Run(() => TakeUntilQuiet(stream));
        TimeSpan before = ThreadTime.OfReaders();
        TableFiller.Fill(options.Namespace, options.Count);
        count = reader.GetAwaiter().GetResult();
        return ThreadTime.OfReaders() - before;
    }

    private static (long Received, long Lost) TakeAll(EventStream stream, long expected)
    {
        (long received, long lost) = (0, 0);
        while (received + lost < expected)
        {
            foreach (ConntrackEvent happened in stream.Take(TimeSpan.FromSeconds(1)))
            {
                received += happened.LostCount is null ? 1 : 0;
                lost += (long)(happened.LostCount ?? 0);
            }
        }

        return (received, lost);
    }

    private static long TakeUntilQuiet(EventStream stream)
    {
        long count = 0;
        for (bool begun = false; ;)
        {
            int taken = stream.Take(TimeSpan.FromSeconds(2)).Count;
            if (taken == 0 && begun)
                return count;
            begun |= taken > 0;
            count += taken;
        }
    }

    private static void Report(string name, int count, TimeSpan time) =>
        Say($"{name}: {count / time.TotalSeconds / 1e6:F2} million events a second");

    private static void Say(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}
