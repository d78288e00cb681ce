using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Linux;

/// <summary>The place that a path resolves to: an open folder, and a name in it that is not a symbolic link.</summary>
/// <param name="folder">The folder, opened with O_PATH. The place closes it.</param>
/// <param name="name">The name in the folder.</param>
/// <param name="path">The path, for messages.</param>
/// <param name="firstLink">The first symbolic link that was followed, or null.</param>
/// <param name="status">The status of the file at this place, or null if there is none.</param>
internal sealed class FilePlace(SafeFileHandle folder, string name, string path, string? firstLink, FileStatus? status) : IDisposable
{
    /// <summary>The maximum size of a settings file, in bytes. Those of distributions have a few thousand.</summary>
    public const int MostBytes = 1 << 20;

    /// <summary>The folder, opened with O_PATH.</summary>
    public SafeFileHandle Folder { get; } = folder;

    /// <summary>The name in the folder.</summary>
    public string Name { get; } = name;

    /// <summary>The path, without symbolic links.</summary>
    public string Path { get; } = path;

    /// <summary>The status of the file when it was resolved, or null if there was none.</summary>
    public FileStatus? Status { get; } = status;

    /// <summary>The current status of the file, or null if there is none.</summary>
    public FileStatus? Look() => Look(Name);

    /// <summary>The current status of another name in the folder, or null if there is none.</summary>
    public FileStatus? Look(string name)
    {
        using SafeFileHandle opened = LibC.OpenAt(Folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (!opened.IsInvalid)
            return FileStatus.Of(opened);
        int errno = Marshal.GetLastPInvokeError();
        return (Errno)errno == Errno.NotFound ? null : throw FileErrors.Of(Path, errno);
    }

    /// <summary>The bytes of the file, or null if there was none.</summary>
    /// <param name="mostBytes">The maximum size. A larger file is an error.</param>
    /// <exception cref="UnusableFileException">It is not a regular file, or it is too large.</exception>
    /// <exception cref="FileChangedException">Another file is at this place now.</exception>
    /// <exception cref="UnauthorizedAccessException">The caller may not access it.</exception>
    public byte[]? Read(int mostBytes = MostBytes)
    {
        if (Status is not { } status)
            return null;
        if (status.Kind != FileKind.Regular)
        {
            string leads = firstLink is null ? "" : $"leads to {Path}, which ";
            throw new UnusableFileException(firstLink ?? Path, $"{leads}is {status.Describe()}, not a file");
        }

        // O_NONBLOCK: if the file was replaced by a pipe, the open must not block. The status then shows the pipe.
        using SafeFileHandle file = Open(O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        return FileStatus.Of(file).IsSameFile(status) ? ReadAll(file, mostBytes) : throw new FileChangedException(Path);
    }

    /// <summary>Opens the folder at this place.</summary>
    /// <exception cref="IOException">It is not a folder.</exception>
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

    /// <summary>Files of /proc report no length, and may have no end.</summary>
    private byte[] ReadAll(SafeFileHandle file, int mostBytes)
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
            if (length > mostBytes)
                throw new UnusableFileException(Path, $"has more than {mostBytes} bytes: too many for a file of settings");
            if (length == bytes.Length)
                Array.Resize(ref bytes, bytes.Length * 2);
        }
    }
}

/// <summary>The type of a file.</summary>
internal enum FileKind
{
    /// <summary>None of the types below.</summary>
    Unknown,

    /// <summary>A regular file.</summary>
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

/// <summary>The status of an open file, from statx(2).</summary>
/// <param name="Kind">Its type.</param>
/// <param name="Mode">Its permissions, with set-id and sticky bits.</param>
/// <param name="User">The user id of its owner.</param>
/// <param name="Group">The id of its group.</param>
/// <param name="Size">Its length in bytes.</param>
/// <param name="FileSystem">The device that holds the file.</param>
/// <param name="Inode">The inode number on that device.</param>
/// <param name="Written">The time of the last change of its content.</param>
/// <param name="Device">The major and minor number of a device node.</param>
internal readonly record struct FileStatus(
    FileKind Kind, ushort Mode, uint User, uint Group, long Size, (uint Major, uint Minor) FileSystem, ulong Inode, DateTime Written,
    (uint Major, uint Minor) Device)
{
    /// <summary>True for /dev/null, under any name.</summary>
    public bool IsNullDevice => Kind == FileKind.CharacterDevice && Device == (1, 3);

    /// <exception cref="IOException">statx(2) failed.</exception>
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

    /// <summary>True for the same file with unchanged content.</summary>
    public bool IsStill(FileStatus other) =>
        (Kind, FileSystem, Inode, Size, Written) == (other.Kind, other.FileSystem, other.Inode, other.Size, other.Written);

    /// <summary>True for the same file, with any content.</summary>
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

/// <summary>A path resolves to something unusable: a device, a pipe, or nothing.</summary>
/// <param name="path">The path of the problem.</param>
/// <param name="problem">The problem, as the rest of a sentence that starts with the path.</param>
/// <param name="isMask">True if the path resolves to /dev/null, which means that the file is masked.</param>
internal sealed class UnusableFileException(string path, string problem, bool isMask = false) : IOException($"{path} {problem}")
{
    /// <summary>The path of the problem: the first symbolic link, or the device itself.</summary>
    public string Path { get; } = path;

    /// <summary>True if the path resolves to /dev/null, which means that the file is masked.</summary>
    public bool IsMask { get; } = isMask;
}

/// <summary>Another program replaced or changed a file after it was read.</summary>
internal sealed class FileChangedException(string path) : IOException($"{path} keeps being changed by another program")
{
    /// <summary>The maximum number of attempts while another program changes the same file.</summary>
    private const int Attempts = 20;

    /// <summary>Repeats an action on the current file as long as another program changes it at the same time.</summary>
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
            }
        }
    }
}

/// <summary>Converts failed calls to the exceptions that .NET's file classes throw.</summary>
internal static class FileErrors
{
    /// <summary>The exception for the last failed call of this thread.</summary>
    public static Exception Last(string what) => Of(what, Marshal.GetLastPInvokeError());

    public static Exception Of(string what, int errno)
    {
        string message = $"{what}: {Marshal.GetPInvokeErrorMessage(errno)}";
        return (Errno)errno is Errno.NotPermitted or Errno.AccessDenied
            ? new UnauthorizedAccessException(message)
            : new IOException(message, errno);
    }
}
