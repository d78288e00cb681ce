using Microsoft.Win32.SafeHandles;
using Tmds.Linux;

namespace ConntrackPS.Linux;

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
