using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

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
    FileKind Kind, uint Mode, uint User, uint Group, long Size, (uint Major, uint Minor) FileSystem, ulong Inode, DateTime Written,
    (uint Major, uint Minor) Device)
{
    /// <summary>struct statx of linux/stat.h, the same for every processor.</summary>
    private const int StructSize = 256;

    /// <summary>/dev/null, by whatever name.</summary>
    public bool IsNullDevice => Kind == FileKind.CharacterDevice && Device == (1, 3);

    /// <exception cref="IOException">The kernel does not tell.</exception>
    public static unsafe FileStatus Of(SafeFileHandle file)
    {
        byte* status = stackalloc byte[StructSize];
        if (LibC.SystemCall(LibC.SYS_statx, file, "", LibC.AT_EMPTY_PATH, LibC.STATX_BASIC_STATS, status) != 0)
            throw FileErrors.Last("a file's status could not be read");
        ReadOnlySpan<byte> bytes = new(status, StructSize);
        ushort mode = MemoryMarshal.Read<ushort>(bytes[28..]);
        return new FileStatus(
            KindOf(mode), mode & 0xfffu, Word(bytes, 20), Word(bytes, 24), MemoryMarshal.Read<long>(bytes[40..]),
            (Word(bytes, 136), Word(bytes, 140)), MemoryMarshal.Read<ulong>(bytes[32..]),
            DateTime.UnixEpoch.AddSeconds(MemoryMarshal.Read<long>(bytes[112..])).AddTicks(Word(bytes, 120) / 100),
            (Word(bytes, 128), Word(bytes, 132)));
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

    private static uint Word(ReadOnlySpan<byte> bytes, int offset) => MemoryMarshal.Read<uint>(bytes[offset..]);
}
