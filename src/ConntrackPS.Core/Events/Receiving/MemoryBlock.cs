using System.Runtime.InteropServices;
using ConntrackPS.Linux;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Events.Receiving;

/// <summary>Memory outside of the garbage collector's, which goes back to the system the moment it is disposed.</summary>
internal sealed unsafe class MemoryBlock : IDisposable
{
    private readonly byte* _start;
    private bool _disposed;

    /// <param name="size">In bytes; made whole pages.</param>
    public MemoryBlock(int size)
    {
        nuint page = (nuint)Environment.SystemPageSize;
        Size = (int)(((nuint)size + page - 1) / page * page);
        _start = (byte*)NativeMemory.AlignedAlloc((nuint)Size, page);
    }

    ~MemoryBlock() => Free();

    /// <summary>In bytes.</summary>
    public int Size { get; }

    /// <summary>All of it; what it holds at first is anything.</summary>
    public Span<byte> Bytes => new(_start, Size);

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    /// <summary>The allocator may keep the addresses for later, but not the pages behind them.</summary>
    private void Free()
    {
        if (_disposed)
            return;
        _disposed = true;
        _ = LibC.MAdvise(_start, Size, MADV_DONTNEED);
        NativeMemory.AlignedFree(_start);
    }
}
