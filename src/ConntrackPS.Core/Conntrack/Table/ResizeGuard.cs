using System.Buffers.Text;
using ConntrackPS.Linux;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Conntrack.Table;

/// <summary>Detects a resize of the hash table during a dump. After a resize the dump continues at a wrong position: it loses entries and
/// repeats others, and the kernel reports nothing.</summary>
/// <remarks>The number of buckets shows a resize immediately. But on a busy machine it may be changed back before it is read again. So
/// write events for the parameter are counted as well.</remarks>
internal sealed class ResizeGuard : IDisposable
{
    private const string Path = Sysctl.Netfilter + "nf_conntrack_buckets";

    private readonly Func<long>? _read;
    private readonly SafeFileHandle? _file;
    private readonly WriteWatch? _writes;
    private long _buckets;
    private long _written;

    /// <param name="read">Returns the number of buckets. Null means that it is read from /proc/sys.</param>
    public ResizeGuard(Func<long>? read = null)
    {
        _read = read;
        if (read is null)
        {
            _writes = ResizeWatch.Start();
            _file = Open();
        }

        HasResized();
    }

    /// <summary>True if the table was resized since the guard was created, or since this last returned true.</summary>
    /// <remarks>Takes about a microsecond, so it can be called after each datagram.</remarks>
    public bool HasResized()
    {
        (long buckets, long written) = (Read(), _writes?.Count() ?? 0);
        bool changed = (buckets, written) != (_buckets, _written);
        (_buckets, _written) = (buckets, written);
        return changed;
    }

    public void Dispose() => _file?.Dispose();

    /// <summary>Opens the file without .NET's file lock, which would prevent other .NET processes from writing it.</summary>
    /// <returns>Null if the file does not exist.</returns>
    private static SafeFileHandle? Open()
    {
        SafeFileHandle file = LibC.Open(Path, O_RDONLY | O_CLOEXEC);
        return file.IsInvalid ? null : file;
    }

    private long Read()
    {
        if (_read is not null)
            return _read();
        if (_file is null)
            return 0;
        Span<byte> text = stackalloc byte[32];
        int length = RandomAccess.Read(_file, text, 0);
        return Utf8Parser.TryParse(text[..length], out long buckets, out _) ? buckets : 0;
    }

    /// <summary>The write events, shared by all guards of this process. Ending a watch makes the kernel wait, on some machines longer than
    /// it takes to read a small table.</summary>
    private static class ResizeWatch
    {
        /// <summary>The module parameter, which also resizes the table.</summary>
        private const string Parameter = "/sys/module/nf_conntrack/parameters/hashsize";

        private static readonly object Gate = new();
        private static WriteWatch? _watch;

        // Kept open, so that the kernel keeps the watched inode. Otherwise it would create a new one for the same path.
        private static SafeFileHandle? _watched;

        /// <returns>Null if the kernel allows no watch, or the file does not exist yet.</returns>
        public static WriteWatch? Start()
        {
            lock (Gate)
            {
                if (_watch is null && (_watched ??= OpenWritable()) is { } file)
                    _watch = WriteWatch.TryStart(WriteWatch.PathOf(file), Parameter);
                return _watch;
            }
        }

        /// <summary>Every network namespace has the file, but it is writable only in the initial one.</summary>
        private static SafeFileHandle? OpenWritable()
        {
            try
            {
                const string First = "/proc/1/ns/net";
                string own = NetworkNamespace.ReadIdentity(null);
                NetworkNamespace? initial = new FileInfo(First).LinkTarget is { } target && target != own ? NetworkNamespace.Parse(First) : null;
                return NetworkNamespace.RunIn(initial, Open);
            }
            catch (Exception exception) when (exception is NetworkNamespaceException or IOException or UnauthorizedAccessException)
            {
                // A caller who may not access the namespace of process 1 is in that namespace, or in a container.
                return Open();
            }
        }
    }
}
