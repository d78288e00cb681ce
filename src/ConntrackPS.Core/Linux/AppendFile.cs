using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Linux;

/// <summary>A file that grows by whole lines, open for one change. Writers of this library wait for each other (<see cref="FileLock"/>), and
/// each change is one write(2) at the end (O_APPEND). A write that fails halfway, as on a full disk, is taken back.</summary>
internal sealed class AppendFile : IDisposable
{
    private const ushort ReadableByAll = 0x1a4;

    private readonly FilePlace _place;
    private readonly SafeFileHandle _file;

    private AppendFile(FilePlace place, SafeFileHandle file) => (_place, _file) = (place, file);

    /// <summary>The path, without symbolic links.</summary>
    public string Path => _place.Path;

    /// <summary>The length in bytes.</summary>
    public long Length => RandomAccess.GetLength(_file);

    /// <summary>Opens the file, or creates it, and locks it.</summary>
    /// <param name="path">The full path. Symbolic links are followed.</param>
    /// <exception cref="IOException">Its folder does not exist, it is not a regular file (<see cref="UnusableFileException"/>), or another
    /// process keeps it locked.</exception>
    /// <exception cref="UnauthorizedAccessException">The caller may not write it.</exception>
    public static AppendFile Open(string path) => FileChangedException.Again(() =>
    {
        using RootFolder root = RootFolder.TryOpen("/")!;
        FilePlace place = root.FindToWrite(path.TrimStart('/')) ?? throw new DirectoryNotFoundException($"{path}: its folder does not exist");
        try
        {
            return Open(place);
        }
        catch
        {
            place.Dispose();
            throw;
        }
    });

    /// <summary>The first bytes of the file.</summary>
    public byte[] ReadHead(int most) => ReadAt(_file, 0, most);

    /// <summary>The last bytes of the file.</summary>
    public byte[] ReadTail(int most) => ReadTail(_file, most);

    /// <summary>The last bytes of the newest file that <see cref="Rotate"/> has put aside. Empty if there is none.</summary>
    public byte[] ReadTailOfPrevious(int most)
    {
        using SafeFileHandle previous = LibC.OpenAt(_place.Folder, Numbered(1), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        return previous.IsInvalid || FileStatus.Of(previous).Kind != FileKind.Regular ? [] : ReadTail(previous, most);
    }

    /// <summary>Adds bytes at the end.</summary>
    /// <exception cref="IOException">The disk is full or broken. The file is as it was.</exception>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        long before = Length;
        int written;
        do
        {
            written = LibC.Write(_file, bytes);
        }
        while (written < 0 && (Errno)Marshal.GetLastPInvokeError() == Errno.Interrupted);
        if (written == bytes.Length)
            return;
        Exception problem = written < 0 ? FileErrors.Last(Path) : new IOException($"{Path}: No space left on device");
        if (written > 0)
            RandomAccess.SetLength(_file, before);
        throw problem;
    }

    /// <summary>Removes all bytes.</summary>
    public void Empty() => RandomAccess.SetLength(_file, 0);

    /// <summary>Puts the file aside: it gets the name with <c>.1</c>, and older ones the next number. Close it afterwards.</summary>
    /// <param name="keep">The number of files to keep. The oldest one beyond is replaced.</param>
    /// <exception cref="IOException">A file can't be renamed. The others are still there.</exception>
    public void Rotate(int keep)
    {
        // After a crash between two renames a number is free. Nothing beyond it has to move.
        int free = 1;
        while (free < keep && _place.Look(Numbered(free)) is not null)
            free++;
        for (int number = free; number > 1; number--)
            Rename(Numbered(number - 1), Numbered(number));
        Rename(_place.Name, Numbered(1));
    }

    public void Dispose()
    {
        _file.Dispose();
        _place.Dispose();
    }

    private static AppendFile Open(FilePlace place)
    {
        if (place.Status is { Kind: not FileKind.Regular } other)
            throw new UnusableFileException(place.Path, $"is {other.Describe()}, not a file");
        SafeFileHandle file = LibC.OpenAt(
            place.Folder, place.Name, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, ReadableByAll);
        try
        {
            if (file.IsInvalid)
                throw FileErrors.Last(place.Path);
            FileLock.Take(file, place.Path);

            // While we waited for the lock, its holder may have put the file aside.
            FileStatus ours = FileStatus.Of(file);
            return place.Look() is { } present && present.IsSameFile(ours) ? new AppendFile(place, file) : throw new FileChangedException(place.Path);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private string Numbered(int number) => string.Create(CultureInfo.InvariantCulture, $"{_place.Name}.{number}");

    private void Rename(string from, string to)
    {
        if (LibC.RenameAt(_place.Folder, from, _place.Folder, to) != 0)
            throw FileErrors.Last(Path);
    }

    private static byte[] ReadTail(SafeFileHandle file, int most)
    {
        long start = Math.Max(0, RandomAccess.GetLength(file) - most);
        return ReadAt(file, start, most);
    }

    private static byte[] ReadAt(SafeFileHandle file, long start, int most)
    {
        byte[] bytes = new byte[most];
        int length = 0;
        while (length < most && RandomAccess.Read(file, bytes.AsSpan(length), start + length) is > 0 and var read)
            length += read;
        return bytes[..length];
    }
}
