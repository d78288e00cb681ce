using ConntrackPS.Linux;

namespace ConntrackPS.Tests.Linux;

public sealed class WriteWatchTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void A_write_changes_the_number_even_of_what_was_there_already()
    {
        File.WriteAllText(_file, "1");
        using WriteWatch watch = WriteWatch.TryStart(_file)!;
        long before = watch.Count();
        Assert.Equal(before, watch.Count());
        Assert.Equal("1", File.ReadAllText(_file));
        Assert.Equal(before, watch.Count());
        File.WriteAllText(_file, "1");
        long after = watch.Count();
        Assert.NotEqual(before, after);
        Assert.Equal(after, watch.Count());
    }

    [Fact]
    public void A_file_that_is_open_is_watched_by_whatever_path_it_is_written()
    {
        using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(_file);
        using WriteWatch watch = WriteWatch.TryStart("/no/such/file", WriteWatch.PathOf(file))!;
        long before = watch.Count();
        File.AppendAllText(_file, "2");
        Assert.NotEqual(before, watch.Count());
    }

    /// <summary>Writes more often than one read returns, and more often than the kernel queues (fs.inotify.max_queued_events).</summary>
    [Fact]
    public void Any_number_of_writes_is_heard_by_every_thread_that_asks()
    {
        string other = Path.GetTempFileName();
        using WriteWatch watch = WriteWatch.TryStart(_file, other)!;
        long before = watch.Count();
        using (FileStream first = File.OpenWrite(_file), second = File.OpenWrite(other))
        {
            // Alternating, because the kernel merges equal consecutive events.
            for (int i = 0; i < 10_000; i++)
            {
                first.WriteByte(1);
                first.Flush();
                second.WriteByte(1);
                second.Flush();
            }
        }

        File.Delete(other);
        long[] counts = [.. Enumerable.Range(0, 8).AsParallel().WithDegreeOfParallelism(8).Select(_ => watch.Count())];
        Assert.DoesNotContain(before, counts);
        Assert.Single(counts.Distinct());
    }

    [Fact]
    public void Nothing_to_watch_is_no_watch() => Assert.Null(WriteWatch.TryStart("/no/such/file"));
}
