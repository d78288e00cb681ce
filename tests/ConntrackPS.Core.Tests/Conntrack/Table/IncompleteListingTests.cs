using ConntrackPS.Blocking;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Tests.Conntrack.Table;

/// <summary>Listings that a resize of the hash table interrupts, in every order: the next attempt has the missed entries, or the caller
/// gets an error.</summary>
public sealed class IncompleteListingTests : IDisposable
{
    private const int Count = 9;

    private readonly List<IDisposable> _opened = [];

    /// <summary>The point of an attempt at which the table is resized.</summary>
    private enum Resize
    {
        /// <summary>No resize: the attempt is complete.</summary>
        None,

        /// <summary>During the first datagram.</summary>
        First,

        /// <summary>In the middle of the table.</summary>
        Middle,

        /// <summary>During the message that ends the dump.</summary>
        Last,

        /// <summary>The kernel reports it, by NLM_F_DUMP_INTR.</summary>
        Flag,
    }

    public void Dispose() => _opened.ForEach(opened => opened.Dispose());

    /// <summary>Every sequence of up to four interrupted attempts before a complete one.</summary>
    [Fact]
    public void Whatever_spoils_the_first_attempts_every_entry_comes_once()
    {
        foreach (Resize[] before in Sequences(4))
        {
            (List<int> read, EntryReader reader, Exception? end) = ReadAll([.. before, Resize.None]);
            string order = string.Join(' ', before);
            Assert.True(end is null, order);
            Assert.Equal((order, before.Length), (order, reader.Repeats));
            Assert.Equal(Enumerable.Range(0, Count).Union(ShownIn(before.Length)).Order(), read.Order());
        }
    }

    /// <summary>The entries of the last attempt come before the exception, and none comes twice.</summary>
    [Fact]
    public void Where_every_attempt_is_spoilt_the_end_says_so_in_every_order()
    {
        Random random = new(5);
        for (int i = 0; i < 500; i++)
        {
            Resize[] all = [.. Enumerable.Range(0, 6).Select(_ => (Resize)random.Next(1, 5))];
            (List<int> read, EntryReader reader, Exception? end) = ReadAll(all);
            Assert.Equal(6, Assert.IsType<IncompleteListingException>(end).Attempts);
            Assert.Equal(5, reader.Repeats);
            Assert.Equal(ShownIn(6).Distinct().Order(), read.Order());

            // Another call throws again.
            Assert.Throws<IncompleteListingException>(() => reader.ReadBatch());
        }
    }

    /// <summary>Repeats continue until the timeout during continuous resizes.</summary>
    [Fact]
    public void A_longer_timeout_begins_again_more_often()
    {
        (List<int> read, EntryReader reader, Exception? end) = ReadAll(
            [.. Enumerable.Repeat(Resize.Middle, 40), Resize.None], new ScanTerms { RepeatTimeout = TimeSpan.FromHours(1) });
        Assert.Null(end);
        Assert.Equal(40, reader.Repeats);
        Assert.Equal(Enumerable.Range(0, Count).Union(ShownIn(40)).Order(), read.Order());
    }

    [Fact]
    public void A_resize_after_the_end_spoils_nothing()
    {
        long buckets = 0;
        FakeKernel kernel = Fake(Resize.None, 0);
        using EntryReader reader = new(null, FilterPlanner.Plan(new ConntrackFilter()), terms: new ScanTerms { ReadCount = _ => null, Open = _ => kernel.Connection, ReadBuckets = () => buckets });
        Assert.NotEmpty(reader.ReadBatch()!);
        while (reader.ReadBatch() is { Count: > 0 })
        {
        }

        buckets++;
        Assert.Null(reader.ReadBatch());
    }

    /// <summary>Deletes the entries found, and reports their number and that there may be more.</summary>
    [Fact]
    public void A_deletion_whose_listings_are_spoilt_says_so_and_counts()
    {
        using NetworkNamespaceFixture ns = new();
        TableFiller.Fill(ns, 500);
        IncompleteDeletionException exception = Assert.Throws<IncompleteDeletionException>(
            () => Unsettled(ns).Delete(new ConntrackFilter { SourcePort = [new PortRange(1, 100), new PortRange(200, 300)] }, result => throw result.Failure!));
        Assert.Equal((new DeleteSummary(201, 0, 0, false), 6), (exception.Summary, exception.Attempts));
        Assert.Contains("201 entries deleted. Other matching entries may remain", exception.Message, StringComparison.Ordinal);
        Assert.Equal(299, ConntrackTool.ListXml(ns).Count);
    }

    /// <summary>On kernels before 6.12, which can't delete one family by one request.</summary>
    [Fact]
    public void So_does_emptying_the_table_of_one_family()
    {
        using NetworkNamespaceFixture ns = new();
        TableFiller.Fill(ns, 100);
        ConntrackTable table = Unsettled(ns, KernelFeatures.All & ~KernelFeatures.FilteredFlush);
        Assert.Equal(50, Assert.Throws<IncompleteDeletionException>(() => table.Clear(IPFamily.IPv4)).Summary.Deleted);
    }

    [Fact]
    public void A_listing_a_stream_and_a_count_end_with_it_after_all_that_they_have()
    {
        using NetworkNamespaceFixture ns = new();
        TableFiller.Fill(ns, 500);
        List<ConntrackEntry> listed = [], streamed = [];
        Assert.Throws<IncompleteListingException>(() => listed.AddEach(Unsettled(ns).Read()));
        using EntryStream stream = Unsettled(ns).Open();
        Assert.Throws<IncompleteListingException>(() => streamed.AddEach(stream.Batches().SelectMany(batch => batch)));
        Assert.Equal((500, 500), (listed.Count, streamed.Count));
        foreach (Action<GroupMeasurement> read in (Action<GroupMeasurement>[])
            [measurement => measurement.Read(Unsettled(ns)), measurement => measurement.ReadTwice(Unsettled(ns), TimeSpan.Zero)])
        {
            GroupMeasurement measurement = new(new GroupOptions());
            Assert.Throws<IncompleteListingException>(() => read(measurement));
            Assert.Equal(500, measurement.Count);
        }
    }

    /// <summary>Entries that the first pass missed would appear as new, with their total traffic.</summary>
    [Fact]
    public void What_was_missed_is_no_traffic_of_the_interval()
    {
        using NetworkNamespaceFixture ns = new();
        ns.SetConntrackSetting("nf_conntrack_acct", 1);
        ns.TrackPackets();
        ns.Exec("ping", "-q", "-c3", "-i0.2", "127.0.0.1");

        // The first and the fourth listing miss the connection.
        int listings = 0;
        ConntrackTable table = Spoilt(ns, () => listings is 1 or 4, () => listings++);
        GroupMeasurement measurement = new(new GroupOptions());
        Assert.Throws<IncompleteListingException>(() => measurement.ReadTwice(table, TimeSpan.Zero));
        ConntrackGroup group = Assert.Single(measurement.Groups());
        Assert.Equal((1, 0.0), (group.Count, group.BitsPerSecond));
        Assert.NotEqual(0UL, group.TotalBytes);

        // The third snapshot of the live view is compared with the first, not with the second.
        SnapshotReader reader = new(table);
        ConntrackFilter filter = new();
        List<(bool IsInterrupted, int Count, ulong MovedBytes)> looks = [];
        for (int look = 0; look < 3; look++)
        {
            TopSnapshot snapshot = reader.Read(filter, null, default);
            looks.Add((snapshot.IsInterrupted, snapshot.Entries.Count, snapshot.Totals.MovedBytes));
        }

        Assert.Equal([(false, 1, 0), (true, 0, 0), (false, 1, 0)], looks);
        Assert.Equal(5, listings);
    }

    /// <summary>Only a complete listing can show that none is left.</summary>
    [Fact]
    public void A_deletion_under_a_block_goes_on_until_a_listing_was_whole_or_says_that_none_was()
    {
        using NetworkNamespaceFixture ns = new();
        TableFiller.Fill(ns, 100);
        BlockTarget target = BlockTarget.Of(new ConntrackFilter { SourcePort = [new PortRange(1, 50)] });
        using TrafficBlock block = TrafficBlock.Open(target, ns.Namespace);

        // The first two listings miss all entries.
        int listings = 0;
        ConntrackTable table = Spoilt(ns, () => listings <= 2, () => listings++);
        Assert.Equal(50, new BlockedDeletion(table, block, result => throw result.Failure!).Run().Deleted);
        Assert.Equal(50, ConntrackTool.ListXml(ns).Count);
        Assert.Throws<IncompleteDeletionException>(() => new BlockedDeletion(Unsettled(ns), block, result => throw result.Failure!).Run());
    }

    private static IEnumerable<Resize[]> Sequences(int length) => length == 0
        ? [[]]
        : Sequences(length - 1).SelectMany(shorter => shorter.Length < length - 1
            ? [shorter]
            : Enum.GetValues<Resize>().Where(resize => resize != Resize.None).Select(resize => (Resize[])[.. shorter, resize]).Prepend(shorter));

    /// <summary>The entries in an interrupted attempt: some are missing, one comes twice, and the last one is in no other
    /// attempt.</summary>
    private static int[] Shown(int attempt) => [attempt % Count, (attempt + 1) % Count, (attempt + 1) % Count, Count + attempt];

    private static IEnumerable<int> ShownIn(int attempts) => Enumerable.Range(0, attempts).SelectMany(Shown);

    private static ConntrackTable Unsettled(NetworkNamespaceFixture ns, KernelFeatures features = KernelFeatures.All) =>
        new(ns.Namespace, features, new ScanTerms { ReadBuckets = Buckets(() => true), RepeatTimeout = TimeSpan.Zero });

    /// <summary>A table whose interrupted listings are empty, and are not repeated.</summary>
    private ConntrackTable Spoilt(NetworkNamespaceFixture ns, Func<bool> isSpoilt, Action onListing) => new(ns.Namespace, KernelFeatures.All, new ScanTerms
    {
        ReadCount = _ => null,
        Open = where =>
        {
            onListing();
            return isSpoilt() ? Empty() : NetlinkConnection.Open(where);
        },
        ReadBuckets = Buckets(isSpoilt),
        LeastRepeats = 0,
        RepeatTimeout = TimeSpan.Zero,
    });

    /// <summary>A number of buckets that changes at each call while the condition holds.</summary>
    private static Func<long> Buckets(Func<bool> changes)
    {
        long buckets = 0;
        return () => changes() ? ++buckets : buckets;
    }

    private (List<int> Read, EntryReader Reader, Exception? End) ReadAll(Resize[] attempts, ScanTerms? terms = null)
    {
        int attempt = -1, asked = 0;
        long buckets = 65536;
        EntryReader reader = new(null, FilterPlanner.Plan(new ConntrackFilter()), terms: (terms ?? new ScanTerms { RepeatTimeout = TimeSpan.Zero }) with
        {
            ReadCount = _ => null,
            Open = _ =>
            {
                asked = 0;
                return Fake(attempts[++attempt], attempt).Connection;
            },
            ReadBuckets = () =>
            {
                // Called once before the first attempt, and then after each of three datagrams.
                int place = attempt < 0 ? 0 : ++asked;
                buckets += attempt >= 0 && place == PlaceOf(attempts[attempt]) ? 1 : 0;
                return buckets;
            },
        });
        _opened.Add(reader);
        List<int> read = [];
        Exception? end = Record.Exception(() =>
        {
            while (reader.ReadBatch() is { } batch)
                read.AddRange(batch.Select(entry => entry.Original.SourcePort - 1));
        });
        return (read, reader, end);

        static int PlaceOf(Resize resize) => resize switch { Resize.First => 1, Resize.Middle => 2, Resize.Last => 3, _ => -1 };
    }

    /// <summary>An attempt with two datagrams of entries, and one that ends the dump.</summary>
    private FakeKernel Fake(Resize resize, int attempt)
    {
        FakeKernel kernel = new(TimeSpan.FromSeconds(5));
        _opened.Add(kernel);
        int[] numbers = resize == Resize.None ? [.. Enumerable.Range(0, Count)] : Shown(attempt);
        MessageFlags flags = MessageFlags.Multi | (resize == Resize.Flag ? MessageFlags.DumpInterrupted : MessageFlags.None);
        kernel.Answer([.. numbers[..(numbers.Length / 2)].Select(number => Message(number, MessageFlags.Multi))]);
        kernel.Answer([.. numbers[(numbers.Length / 2)..].Select(number => Message(number, flags))]);
        kernel.Answer(Messages.Done(1));
        return kernel;
    }

    private NetlinkConnection Empty()
    {
        FakeKernel kernel = new(TimeSpan.FromSeconds(5));
        _opened.Add(kernel);
        kernel.Answer(Messages.Done(1));
        return kernel.Connection;
    }

    private static byte[] Message(int number, MessageFlags flags)
    {
        byte[] buffer = new byte[NetlinkBatch.MaximumMessageSize];
        int length = EntryEncoder.Create(buffer, Entries.Tcp("10.0.0.1", number + 1, "198.51.100.7", 80), flags);
        BitConverter.TryWriteBytes(buffer.AsSpan(8), 1u);
        return buffer[..length];
    }
}

/// <summary>Keeps the items before an exception.</summary>
file static class Collecting
{
    public static void AddEach<T>(this List<T> list, IEnumerable<T> items)
    {
        foreach (T item in items)
            list.Add(item);
    }
}
