using System.Runtime.InteropServices;

namespace ConntrackPS.Fuzzing;

/// <summary>Memory with an unreadable end: the page after it is PROT_NONE. A reader that reads one byte too many ends the process with
/// SIGSEGV.</summary>
internal sealed unsafe partial class GuardedMemory : IDisposable
{
    private const int ReadWrite = 3, None = 0;
    private const int PrivateAnonymous = 0x22;

    private readonly byte* _start;
    private readonly nuint _mapped;

    /// <summary>Maps memory.</summary>
    /// <param name="size">The minimum size in bytes.</param>
    public GuardedMemory(int size)
    {
        int page = Environment.SystemPageSize;
        Size = (size + page - 1) / page * page;
        _mapped = (nuint)(Size + page);
        _start = Map(null, _mapped, ReadWrite, PrivateAnonymous, -1, 0);
        if (_start == (byte*)-1 || Protect(_start + Size, (nuint)page, None) != 0)
            throw new InvalidOperationException($"No guarded memory: errno {Marshal.GetLastPInvokeError()}.");
    }

    /// <summary>The usable size in bytes.</summary>
    public int Size { get; }

    /// <summary>The end, where reads fail.</summary>
    public byte* End => _start + Size;

    /// <summary>The last bytes before the end.</summary>
    public Span<byte> Last(int length) => new(End - length, length);

    /// <summary>Copies bytes to directly before the end.</summary>
    public ReadOnlySpan<byte> Place(ReadOnlySpan<byte> bytes)
    {
        Span<byte> last = Last(bytes.Length);
        bytes.CopyTo(last);
        return last;
    }

    public void Dispose() => _ = Unmap(_start, _mapped);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial byte* Map(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(void* address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Unmap(void* address, nuint length);
}
