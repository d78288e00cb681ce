using ConntrackPS.Events.Receiving;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Events.Receiving;

[Collection(nameof(Alone))]
public sealed class BacklogMemoryTests
{
    private const int MiB = 1 << 20;
    private const int Bound = 64 * MiB;

    [Fact]
    public void It_stays_within_the_bound_and_goes_back_as_the_backlog_drains()
    {
        using EventBacklog backlog = new(Bound);
        long before = ResidentBytes();
        byte[] noise = new byte[250];
        long appended = 0;
        for (Random random = new(1); ; appended++)
        {
            random.NextBytes(noise);
            if (!backlog.TryAppend(this, noise))
                break;
        }

        Assert.InRange(backlog.MemorySize, Bound * 9L / 10, Bound);
        Assert.InRange(ResidentBytes() - before, Bound / 2, Bound + 16 * MiB);
        Assert.Equal(appended, backlog.CountWhenFull);
        Assert.Equal(appended, backlog.Count);
        long taken = 0;
        while (backlog.Take(TimeSpan.Zero) is { } item)
        {
            while (backlog.TryRead(item, out _))
                taken++;
        }

        Assert.Equal(appended, taken);
        Assert.InRange(backlog.MemorySize, 0, MiB);
        Assert.InRange(ResidentBytes() - before, long.MinValue, Bound / 4);

        // It is filled again as if new.
        Assert.True(backlog.TryAppend(this, noise));
        Assert.Equal(1, backlog.Count);
    }

    /// <summary>The process's resident memory without files: VmRSS minus file pages.</summary>
    private static long ResidentBytes() => 1024 * long.Parse(
        File.ReadLines("/proc/self/status").Single(line => line.StartsWith("RssAnon:", StringComparison.Ordinal))
            .Split(' ', '\t', StringSplitOptions.RemoveEmptyEntries)[1],
        System.Globalization.CultureInfo.InvariantCulture);
}
