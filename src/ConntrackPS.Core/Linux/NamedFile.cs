using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Linux;

/// <summary>Reads a file or a pipe that a user named, and never waits for good: not for the other end of a pipe, and no
/// longer than until the user cancels.</summary>
/// <remarks>open(2) waits for a pipe's other end, and a device may have no end, or do something when it is opened: so it is
/// looked at first (O_PATH), and then the very same is opened.</remarks>
internal sealed class NamedFile : Stream
{
    private const int LookAgainMilliseconds = 100;

    private readonly SafeFileHandle _file;
    private readonly string _path;
    private readonly bool _isPipe;
    private readonly Func<bool> _isStopped;
    private bool _hasRead;

    private NamedFile(SafeFileHandle file, string path, bool isPipe, Func<bool> isStopped) =>
        (_file, _path, _isPipe, _isStopped) = (file, path, isPipe, isStopped);

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Opens it; links are followed wherever they lead.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="isStopped">Asked every tenth of a second while a pipe has no data; true ends the reading.</param>
    /// <exception cref="UnusableFileException">It is a folder, a device, a socket.</exception>
    /// <exception cref="IOException">It is not there, or can't be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It is not for us.</exception>
    public static NamedFile Open(string path, Func<bool> isStopped)
    {
        using SafeFileHandle found = Open(path, path, O_PATH);
        FileStatus status = FileStatus.Of(found);
        return status.Kind is FileKind.Regular or FileKind.Pipe
            ? new NamedFile(
                Open($"/proc/self/fd/{found.DangerousGetHandle()}", path, O_RDONLY | O_NONBLOCK), path, status.Kind == FileKind.Pipe, isStopped)
            : throw new UnusableFileException(path, $"is {status.Describe()}, not a file");
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

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

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
