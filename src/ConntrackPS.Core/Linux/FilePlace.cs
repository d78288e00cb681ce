using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Linux;

/// <summary>Where a name leads: an opened folder, and a name in it that is no link.</summary>
/// <param name="folder">The folder, opened with O_PATH; the place closes it.</param>
/// <param name="name">The name in it.</param>
/// <param name="path">The way there, for messages.</param>
/// <param name="firstLink">The first link that led here; null where none did.</param>
/// <param name="status">What stands there; null for nothing.</param>
internal sealed class FilePlace(SafeFileHandle folder, string name, string path, string? firstLink, FileStatus? status) : IDisposable
{
    /// <summary>What a file of settings may have at most, in bytes: those of distributions have a few thousand.</summary>
    public const int MostBytes = 1 << 20;

    /// <summary>The folder, opened with O_PATH.</summary>
    public SafeFileHandle Folder { get; } = folder;

    /// <summary>The name in it.</summary>
    public string Name { get; } = name;

    /// <summary>The way there, without links.</summary>
    public string Path { get; } = path;

    /// <summary>What stood there; null for nothing.</summary>
    public FileStatus? Status { get; } = status;

    /// <summary>What stands there now; null for nothing.</summary>
    public FileStatus? Look() => Look(Name);

    /// <summary>What stands in the folder under another name; null for nothing.</summary>
    public FileStatus? Look(string name)
    {
        using SafeFileHandle opened = LibC.OpenAt(Folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (!opened.IsInvalid)
            return FileStatus.Of(opened);
        int errno = Marshal.GetLastPInvokeError();
        return (Errno)errno == Errno.NotFound ? null : throw FileErrors.Of(Path, errno);
    }

    /// <summary>The bytes of the file that stood there; null where there was none.</summary>
    /// <exception cref="UnusableFileException">It is no regular file, or a huge one.</exception>
    /// <exception cref="FileChangedException">Another one stands there by now.</exception>
    /// <exception cref="UnauthorizedAccessException">It is not for us.</exception>
    public byte[]? Read()
    {
        if (Status is not { } status)
            return null;
        if (status.Kind != FileKind.Regular)
        {
            string leads = firstLink is null ? "" : $"leads to {Path}, which ";
            throw new UnusableFileException(firstLink ?? Path, $"{leads}is {status.Describe()}, not a file");
        }

        // Without waiting: should a pipe have come there meanwhile, it is seen by its status.
        using SafeFileHandle file = Open(O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        return FileStatus.Of(file).IsSameFile(status) ? ReadAll(file) : throw new FileChangedException(Path);
    }

    /// <summary>The folder that stood there.</summary>
    /// <exception cref="IOException">It is none.</exception>
    public SafeFileHandle OpenFolder()
    {
        if (Status is { Kind: not FileKind.Folder } status)
            throw new UnusableFileException(firstLink ?? Path, $"{(firstLink is null ? "" : $"leads to {Path}, which ")}is {status.Describe()}, not a folder");
        return Open(O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    }

    public void Dispose() => Folder.Dispose();

    private SafeFileHandle Open(int flags)
    {
        SafeFileHandle file = LibC.OpenAt(Folder, Name, flags | O_CLOEXEC);
        return file.IsInvalid ? throw FileErrors.Last(Path) : file;
    }

    /// <summary>Files of /proc tell no length, and may have no end.</summary>
    private byte[] ReadAll(SafeFileHandle file)
    {
        byte[] bytes = new byte[4096];
        int length = 0;
        while (true)
        {
            int read = LibC.Read(file, bytes.AsSpan(length));
            if (read == 0)
                return bytes[..length];
            if (read < 0 && (Errno)Marshal.GetLastPInvokeError() != Errno.Interrupted)
                throw FileErrors.Last(Path);
            length += Math.Max(0, read);
            if (length > MostBytes)
                throw new UnusableFileException(Path, $"has more than {MostBytes} bytes: too many for a file of settings");
            if (length == bytes.Length)
                Array.Resize(ref bytes, bytes.Length * 2);
        }
    }
}

/// <summary>What a name stands for.</summary>
internal enum FileKind
{
    /// <summary>None of these.</summary>
    Unknown,

    /// <summary>A file with bytes in it.</summary>
    Regular,

    /// <summary>A folder.</summary>
    Folder,

    /// <summary>A symbolic link.</summary>
    Link,

    /// <summary>A named pipe (FIFO).</summary>
    Pipe,

    /// <summary>A socket.</summary>
    Socket,

    /// <summary>A character device.</summary>
    CharacterDevice,

    /// <summary>A block device.</summary>
    BlockDevice,
}

/// <summary>What statx(2) says of an opened file.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Mode">Its permissions, with set-id and sticky bits.</param>
/// <param name="User">Its owner.</param>
/// <param name="Group">Its group.</param>
/// <param name="Size">Its length in bytes.</param>
/// <param name="FileSystem">The device that holds it.</param>
/// <param name="Inode">Its number there.</param>
/// <param name="Written">When its content was last changed.</param>
/// <param name="Device">What a device node stands for: major and minor number.</param>
internal readonly record struct FileStatus(
    FileKind Kind, ushort Mode, uint User, uint Group, long Size, (uint Major, uint Minor) FileSystem, ulong Inode, DateTime Written,
    (uint Major, uint Minor) Device)
{
    /// <summary>/dev/null, by whatever name.</summary>
    public bool IsNullDevice => Kind == FileKind.CharacterDevice && Device == (1, 3);

    /// <exception cref="IOException">The kernel does not tell.</exception>
    public static FileStatus Of(SafeFileHandle file)
    {
        if (LibC.Stat(file, out statx status) != 0)
            throw FileErrors.Last("a file's status could not be read");
        return new FileStatus(
            KindOf(status.stx_mode), (ushort)(status.stx_mode & 0xfff), status.stx_uid, status.stx_gid, (long)status.stx_size,
            (status.stx_dev_major, status.stx_dev_minor), status.stx_ino,
            DateTime.UnixEpoch.AddSeconds(status.stx_mtime.tv_sec).AddTicks(status.stx_mtime.tv_nsec / 100),
            (status.stx_rdev_major, status.stx_rdev_minor));
    }

    /// <summary>The same file, with the content that it had.</summary>
    public bool IsStill(FileStatus other) =>
        (Kind, FileSystem, Inode, Size, Written) == (other.Kind, other.FileSystem, other.Inode, other.Size, other.Written);

    /// <summary>The same file, whatever its content.</summary>
    public bool IsSameFile(FileStatus other) => (Kind, FileSystem, Inode) == (other.Kind, other.FileSystem, other.Inode);

    /// <summary>For messages: a FIFO (named pipe), a folder.</summary>
    public string Describe() => Kind switch
    {
        FileKind.Regular => "a file",
        FileKind.Folder => "a folder",
        FileKind.Link => "a link",
        FileKind.Pipe => "a FIFO (named pipe)",
        FileKind.Socket => "a socket",
        FileKind.CharacterDevice => $"a character device ({Device.Major}, {Device.Minor})",
        FileKind.BlockDevice => $"a block device ({Device.Major}, {Device.Minor})",
        _ => "of no known kind",
    };

    /// <summary>S_IFMT of sys/stat.h.</summary>
    private static FileKind KindOf(ushort mode) => (mode & 0xf000) switch
    {
        0x8000 => FileKind.Regular,
        0x4000 => FileKind.Folder,
        0xa000 => FileKind.Link,
        0x1000 => FileKind.Pipe,
        0xc000 => FileKind.Socket,
        0x2000 => FileKind.CharacterDevice,
        0x6000 => FileKind.BlockDevice,
        _ => FileKind.Unknown,
    };
}

/// <summary>A name does not lead to what is looked for: it leads to a device, a pipe, nowhere.</summary>
/// <param name="path">What is in the way.</param>
/// <param name="problem">What it is, as the rest of a sentence about it.</param>
/// <param name="isMask">True where it leads to /dev/null: nothing is to be there.</param>
internal sealed class UnusableFileException(string path, string problem, bool isMask = false) : IOException($"{path} {problem}")
{
    /// <summary>What is in the way: the first link, or the device itself.</summary>
    public string Path { get; } = path;

    /// <summary>True where it leads to /dev/null: nothing is to be there.</summary>
    public bool IsMask { get; } = isMask;
}

/// <summary>Another program has put another file in a file's place, or changed it, since it was looked at.</summary>
internal sealed class FileChangedException(string path) : IOException($"{path} keeps being changed by another program")
{
    /// <summary>How often we begin anew, because another program changes the same file.</summary>
    private const int Attempts = 20;

    /// <summary>Does something anew, from what is there then, as long as another program comes between.</summary>
    public static T Again<T>(Func<T> action)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return action();
            }
            catch (FileChangedException) when (attempt < Attempts)
            {
                // Anew.
            }
        }
    }
}

/// <summary>Failed calls as the exceptions that .NET's files throw.</summary>
internal static class FileErrors
{
    /// <summary>The exception for the call that failed last on this thread.</summary>
    public static Exception Last(string what) => Of(what, Marshal.GetLastPInvokeError());

    public static Exception Of(string what, int errno)
    {
        string message = $"{what}: {Marshal.GetPInvokeErrorMessage(errno)}";
        return (Errno)errno is Errno.NotPermitted or Errno.AccessDenied
            ? new UnauthorizedAccessException(message)
            : new IOException(message, errno);
    }
}
