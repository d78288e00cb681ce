using System.Buffers.Text;
using ConntrackPS.Linux;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Conntrack.Table;

/// <summary>Notices that the hash table was resized while it was read. A dump then goes on at a place that means nothing
/// any more: it loses entries and repeats others, and the kernel says nothing.</summary>
/// <remarks>The number of buckets tells of a resize at once. But it may be back at what it was before anybody looks, on a
/// busy machine: the kernel's events of writes to it tell of that.</remarks>
internal sealed class ResizeGuard : IDisposable
{
    private const string Path = Sysctl.Netfilter + "nf_conntrack_buckets";

    private readonly Func<long>? _read;
    private readonly SafeFileHandle? _file;
    private readonly WriteWatch? _writes;
    private long _buckets;
    private long _written;

    /// <param name="read">Tells the number of buckets; null: it is read from /proc/sys.</param>
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

    /// <summary>True where the table was resized since the guard was made, or since this was last true.</summary>
    /// <remarks>A microsecond, so that it can be asked after each datagram.</remarks>
    public bool HasResized()
    {
        (long buckets, long written) = (Read(), _writes?.Count() ?? 0);
        bool changed = (buckets, written) != (_buckets, _written);
        (_buckets, _written) = (buckets, written);
        return changed;
    }

    public void Dispose() => _file?.Dispose();

    /// <summary>Opens the file without .NET's lock, which would keep other processes of .NET from writing it.</summary>
    /// <returns>Null where there is none.</returns>
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

    /// <summary>The events of writes, which the guards of this process share: to end a watch makes the kernel wait, on some
    /// machines for longer than a small table takes to read.</summary>
    private static class ResizeWatch
    {
        /// <summary>The module's parameter, which resizes the table as well.</summary>
        private const string Parameter = "/sys/module/nf_conntrack/parameters/hashsize";

        private static readonly object Gate = new();
        private static WriteWatch? _watch;

        // Held open, so that the kernel keeps what is watched: it would make another one of the same path.
        private static SafeFileHandle? _watched;

        /// <returns>Null where the kernel lets nothing be watched, or has no such file yet.</returns>
        public static WriteWatch? Start()
        {
            lock (Gate)
            {
                if (_watch is null && (_watched ??= OpenWritable()) is { } file)
                    _watch = WriteWatch.TryStart(WriteWatch.PathOf(file), Parameter);
                return _watch;
            }
        }

        /// <summary>Every network namespace has the file, but only that of the initial one can be written.</summary>
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
                // Who may not look into the first process's namespace is in it himself, or in a container.
                return Open();
            }
        }
    }
}
