using ConntrackPS.Linux;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Resizes the machine's hash table continuously, about as fast as the kernel allows. Disposing it restores the size.</summary>
/// <remarks>Only for tests of the collection <see cref="MachineWide"/>: every network namespace uses the same hash table.</remarks>
internal sealed class ResizeStorm : IDisposable
{
    public const string Buckets = Sysctl.Netfilter + "nf_conntrack_buckets";

    private readonly long _before = Sysctl.ReadNumber(Buckets)!.Value;
    private readonly Thread _thread;
    private int _resizes;
    private volatile bool _isOver;

    /// <summary>Starts to resize. Returns after the first resize.</summary>
    public ResizeStorm()
    {
        _thread = new Thread(Blow) { IsBackground = true };
        _thread.Start();
        if (!Wait.Until(() => Resizes > 1))
        {
            Dispose();
            Assert.Fail("The hash table can't be resized.");
        }
    }

    public int Resizes => Volatile.Read(ref _resizes);

    public void Dispose()
    {
        _isOver = true;
        _thread.Join();
        Sysctl.WriteNumber(Buckets, _before);
    }

    private void Blow()
    {
        while (!_isOver)
        {
            Sysctl.WriteNumber(Buckets, _resizes % 2 == 0 ? Math.Max(1, _before / 2) : _before);
            Interlocked.Increment(ref _resizes);
        }
    }
}

/// <summary>Tests that change machine-wide values run while no other test does.</summary>
[CollectionDefinition(nameof(MachineWide), DisableParallelization = true)]
public sealed class MachineWide;

/// <summary>A test that resizes the machine's hash table. It is skipped where this is impossible: in a network namespace other than the
/// initial one, or where /proc/sys is read-only.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ResizeFactAttribute : FactAttribute
{
    /// <summary>Checks that the size can be written, without writing it.</summary>
    public ResizeFactAttribute()
    {
        try
        {
            File.OpenHandle(ResizeStorm.Buckets, FileMode.Open, FileAccess.Write, FileShare.ReadWrite).Dispose();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Skip = $"The hash table can't be resized from here: {exception.Message}";
        }
    }
}
