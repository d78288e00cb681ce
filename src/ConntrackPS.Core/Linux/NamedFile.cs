using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Linux;

/// <summary>Reads a file or a pipe that a user named. It never blocks forever: it does not wait for the other end of a pipe to open, and it
/// stops when the user cancels.</summary>
/// <remarks>open(2) blocks until a pipe's other end is open. A device may have no end, or react to being opened. So the file is first
/// checked with O_PATH, and then the same file is opened.</remarks>
internal sealed class NamedFile : ForwardStream
{
    private const int LookAgainMilliseconds = 100;

    private readonly SafeFileHandle _file;
    private readonly string _path;
    private readonly bool _isPipe;
    private readonly Func<bool> _isStopped;
    private bool _hasRead;

    private NamedFile(SafeFileHandle file, string path, bool isPipe, Func<bool> isStopped) =>
        (_file, _path, _isPipe, _isStopped) = (file, path, isPipe, isStopped);

    /// <summary>Opens the file. Symbolic links are followed.</summary>
    /// <param name="path">The path of the file.</param>
    /// <param name="isStopped">Called every 100 ms while a pipe has no data. True ends the read.</param>
    /// <exception cref="UnusableFileException">It is a folder, a device or a socket.</exception>
    /// <exception cref="IOException">It does not exist, or can't be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The caller may not access it.</exception>
    public static NamedFile Open(string path, Func<bool> isStopped)
    {
        using SafeFileHandle found = Open(path, path, O_PATH);
        FileStatus status = FileStatus.Of(found);
        return status.Kind is FileKind.Regular or FileKind.Pipe
            ? new NamedFile(
                Open($"/proc/self/fd/{found.DangerousGetHandle()}", path, O_RDONLY | O_NONBLOCK), path, status.Kind == FileKind.Pipe, isStopped)
            : throw new UnusableFileException(path, $"is {status.Describe()}, not a file");
    }

    /// <summary>Identifies the file, whatever name it has.</summary>
    public (uint Major, uint Minor, ulong Inode) Identity
    {
        get
        {
            FileStatus status = FileStatus.Of(_file);
            return (status.FileSystem.Major, status.FileSystem.Minor, status.Inode);
        }
    }

    public override int Read(Span<byte> buffer)
    {
        while (!_isStopped())
        {
            int length = LibC.Read(_file, buffer);
            if (length == 0 && _isPipe && !_hasRead)
                throw new UnusableFileException(_path, "is a FIFO (named pipe) without a writer");
            _hasRead = true;
            if (length >= 0)
                return length;
            int errno = Marshal.GetLastPInvokeError();
            if (_isPipe && (Errno)errno == Errno.TryAgain)
                Wait();
            else if ((Errno)errno != Errno.Interrupted)
                throw FileErrors.Of(_path, errno);
        }

        return 0;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    protected override void Dispose(bool disposing)
    {
        _file.Dispose();
        base.Dispose(disposing);
    }

    private void Wait() => _ = LibC.WaitToRead(_file, LookAgainMilliseconds);

    private static SafeFileHandle Open(string name, string path, int flags)
    {
        SafeFileHandle file = LibC.Open(name, flags | O_CLOEXEC);
        return file.IsInvalid ? throw FileErrors.Last(path) : file;
    }
}
