using System.Buffers.Text;
using ConntrackPS.Linux;
using Microsoft.Win32.SafeHandles;

namespace ConntrackPS.Conntrack.Table;

/// <summary>Notices that the hash table was resized while it was read. A dump then goes on at a place that means nothing
/// any more: it loses entries and repeats others, and the kernel says nothing.</summary>
internal sealed class ResizeGuard : IDisposable
{
    private readonly SafeFileHandle? _file;
    private long _buckets;

    public ResizeGuard()
    {
        const string Path = Sysctl.Netfilter + "nf_conntrack_buckets";
        _file = File.Exists(Path) ? File.OpenHandle(Path) : null;
        _buckets = Read();
    }

    /// <summary>True where the size has changed since the guard was made, or since this was last true.</summary>
    /// <remarks>Under a microsecond, so that it can be asked after each datagram.</remarks>
    public bool HasResized()
    {
        long buckets = Read();
        bool changed = buckets != _buckets;
        _buckets = buckets;
        return changed;
    }

    public void Dispose() => _file?.Dispose();

    private long Read()
    {
        if (_file is null)
            return 0;
        Span<byte> text = stackalloc byte[32];
        int length = RandomAccess.Read(_file, text, 0);
        return Utf8Parser.TryParse(text[..length], out long buckets, out _) ? buckets : 0;
    }
}
