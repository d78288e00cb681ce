using System.Runtime.InteropServices;

namespace ConntrackPS.Fuzzing;

/// <summary>Memory that ends where nothing may be read: the page behind it is PROT_NONE, so that a reader that goes one
/// byte too far ends the process with SIGSEGV, and can't go unseen.</summary>
internal sealed unsafe partial class GuardedMemory : IDisposable
{
    private const int ReadWrite = 3, None = 0;
    private const int PrivateAnonymous = 0x22;

    private readonly byte* _start;
    private readonly nuint _mapped;

    /// <summary>Maps memory.</summary>
    /// <param name="size">Bytes wanted at least.</param>
    public GuardedMemory(int size)
    {
        int page = Environment.SystemPageSize;
        Size = (size + page - 1) / page * page;
        _mapped = (nuint)(Size + page);
        _start = Map(null, _mapped, ReadWrite, PrivateAnonymous, -1, 0);
        if (_start == (byte*)-1 || Protect(_start + Size, (nuint)page, None) != 0)
            throw new InvalidOperationException($"No guarded memory: errno {Marshal.GetLastPInvokeError()}.");
    }

    /// <summary>Bytes that may be used.</summary>
    public int Size { get; }

    /// <summary>Where nothing may be read any more.</summary>
    public byte* End => _start + Size;

    /// <summary>The last bytes before the end.</summary>
    public Span<byte> Last(int length) => new(End - length, length);

    /// <summary>Copies bytes so that they stand right before the end.</summary>
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
