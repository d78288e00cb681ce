using System.Runtime.InteropServices;
using System.Text;
using ConntrackPS.Linux;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Tuning.Persistence;

/// <summary>Changes a small file atomically: after a failure it has either the complete old or the complete new content. It changes only
/// regular files.</summary>
/// <remarks>Writes a temporary file in the same folder, then fsync, rename, and fsync of the folder: rename(2), fsync(2). A lock on the
/// folder (flock(2)) prevents two writers of this library from losing each other's lines. All steps use one open folder and do not follow
/// links. The replaced file is compared with what was read before it is deleted (renameat2(2)): if another program has put a file there, it
/// is put back.</remarks>
internal static class AtomicFile
{
    /// <summary>The prefix of temporary files.</summary>
    public const string TemporaryPrefix = ".conntrackps.";

    private const ushort ReadableByAll = 0x1a4;
    private const ushort OurOwn = 0x180;

    /// <summary>Changes the bytes of a file. Null means no file.</summary>
    /// <param name="root">The root folder of the file. Links can't lead outside.</param>
    /// <param name="name">The path below the root. Missing folders are created.</param>
    /// <param name="edit">Returns the new bytes for the current bytes. May be called several times.</param>
    /// <returns>True if the file was changed.</returns>
    /// <exception cref="IOException">Nothing was changed: the disk is full or read-only, or the path is not a regular file (<see
    /// cref="UnusableFileException"/>).</exception>
    /// <exception cref="UnauthorizedAccessException">Nothing was changed: the caller may not access the file or its folder.</exception>
    public static bool Edit(RootFolder root, string name, Func<byte[]?, byte[]?> edit) => FileChangedException.Again(() => EditOnce(root, name, edit));

    /// <summary>Checks that the path is a regular file or does not exist.</summary>
    /// <exception cref="IOException">As for Edit.</exception>
    public static void Check(RootFolder root, string name) => FileChangedException.Again(() =>
    {
        using FilePlace? place = root.FindToWrite(name);
        return place?.Read();
    });

    /// <summary>Puts a whole file in its place: a reader sees the old content or the new one. Links of the path are followed, but if the file is
    /// for all, it may not be a link itself.</summary>
    /// <param name="path">The full path. Its folder must exist.</param>
    /// <param name="content">The text, written in UTF-8.</param>
    /// <param name="isForAll">True to let every user read the file (mode 0644), whatever the umask says. Otherwise a new file follows the
    /// umask, and an existing one keeps its mode.</param>
    /// <exception cref="IOException">Nothing was changed: the disk is full or read-only, the folder does not exist, or the path is not a
    /// regular file (<see cref="UnusableFileException"/>).</exception>
    /// <exception cref="UnauthorizedAccessException">Nothing was changed: the caller may not write there.</exception>
    public static void Put(string path, string content, bool isForAll)
    {
        if (Platform.IsLinux)
            FileChangedException.Again(() => PutOnce(path, content, isForAll));
        else
            File.WriteAllText(path, content);
    }

    private static bool PutOnce(string path, string content, bool isForAll)
    {
        using RootFolder root = RootFolder.TryOpen("/")!;
        using FilePlace place = root.FindToWrite(path.TrimStart('/')) ?? throw new DirectoryNotFoundException($"{path}: its folder does not exist");
        if (place.Status is { Kind: not FileKind.Regular } other)
            throw new UnusableFileException(place.Path, $"is {other.Describe()}, not a file");

        // A service writes this one again and again, perhaps into a folder of other users, where a link could lead anywhere.
        if (isForAll && new FileInfo(path).LinkTarget is not null)
            throw new UnusableFileException(path, "is a link, not a file");
        using SafeFileHandle locked = Lock(place);
        Replace(place, Encoding.UTF8.GetBytes(content), isForAll);
        _ = LibC.FSync(locked);
        return true;
    }

    private static bool EditOnce(RootFolder root, string name, Func<byte[]?, byte[]?> edit)
    {
        // Create no folders for a file that does not exist and is not needed.
        using (FilePlace? present = root.Find(name))
        {
            if (present?.Status is null && edit(null) is null)
                return false;
        }

        using FilePlace first = root.FindOrMake(name);
        using SafeFileHandle locked = Lock(first);

        // Resolved again, because others may have changed it before we got the lock.
        using FilePlace place = root.FindOrMake(name);
        if (!FileStatus.Of(place.Folder).IsSameFile(FileStatus.Of(first.Folder)) || place.Name != first.Name)
            throw new FileChangedException(place.Path);
        byte[]? before = place.Read(), after = edit(before);
        if (after is null ? before is null : before is not null && before.AsSpan().SequenceEqual(after))
            return false;
        Replace(place, after);
        _ = LibC.FSync(locked);
        return true;
    }

    /// <summary>Replaces the file, or deletes it for null.</summary>
    private static void Replace(FilePlace place, byte[]? content, bool isForAll = false)
    {
        string temporary = NewTemporary();
        FileStatus? ours = content is null ? null : Write(place, temporary, content, isForAll);
        try
        {
            if (place.Status is not { } old)
                PutIn(place, temporary);
            else if (ours is { } ready)
                Exchange(place, temporary, old, ready);
            else
                TakeOut(place, temporary, old);
        }
        finally
        {
            // Delete our file if it was not renamed.
            if (ours is { } written && place.Look(temporary) is { } left && left.IsSameFile(written))
                Unlink(place, temporary);
        }
    }

    /// <summary>Hidden and without .conf or .prom at the end, so that boot and monitoring never read a leftover.</summary>
    private static string NewTemporary() => $"{TemporaryPrefix}{Guid.NewGuid():N}";

    private static void PutIn(FilePlace place, string temporary)
    {
        if (TryRename(place, temporary, place.Name, LibC.RENAME_NOREPLACE))
            return;
        RequireStill(place, null);
        PlainRename(place, temporary);
    }

    private static void Exchange(FilePlace place, string temporary, FileStatus old, FileStatus ours)
    {
        if (!TryRename(place, temporary, place.Name, LibC.RENAME_EXCHANGE))
        {
            RequireStill(place, old);
            PlainRename(place, temporary);
            return;
        }

        if (!RemoveOld(place, temporary, old))
            PutBack(place, temporary, ours);
    }

    private static void TakeOut(FilePlace place, string temporary, FileStatus old)
    {
        if (!TryRename(place, place.Name, temporary, LibC.RENAME_NOREPLACE))
        {
            RequireStill(place, old);
            Unlink(place, place.Name);
        }
        else if (!RemoveOld(place, temporary, old))
        {
            PutBack(place, temporary, null);
        }
    }

    /// <summary>Deletes the replaced file if it is the one that was read.</summary>
    private static bool RemoveOld(FilePlace place, string temporary, FileStatus old)
    {
        if (place.Look(temporary) is not { } found || !found.IsStill(old))
            return false;
        Unlink(place, temporary);
        return true;
    }

    /// <summary>It was another file: puts it back, and takes ours out again.</summary>
    private static void PutBack(FilePlace place, string temporary, FileStatus? ours)
    {
        bool isBack;
        try
        {
            isBack = ours is { } written
                ? TryRename(place, temporary, place.Name, LibC.RENAME_EXCHANGE) && place.Look(temporary)?.IsSameFile(written) == true
                : TryRename(place, temporary, place.Name, LibC.RENAME_NOREPLACE);
        }
        catch (FileChangedException)
        {
            // Our file is gone, or another one is in its place.
            isBack = ours is not null && place.Look() is null && TryRename(place, temporary, place.Name, LibC.RENAME_NOREPLACE);
        }

        throw isBack
            ? new FileChangedException(place.Path)
            : new IOException($"{place.Path} keeps being changed by another program; the content in between was saved as {temporary} in the same folder");
    }

    /// <summary>Writes and syncs a new file with the owner, group and mode of the old one.</summary>
    private static FileStatus Write(FilePlace place, string temporary, byte[] content, bool isForAll)
    {
        int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
        using SafeFileHandle file = LibC.OpenAt(place.Folder, temporary, flags, place.Status is null ? ReadableByAll : OurOwn);
        if (file.IsInvalid)
            throw FileErrors.Last(place.Path);
        try
        {
            for (int done = 0; done < content.Length;)
            {
                int written = LibC.Write(file, content.AsSpan(done));
                if (written < 0 && (Errno)Marshal.GetLastPInvokeError() != Errno.Interrupted)
                    throw FileErrors.Last(place.Path);
                done += Math.Max(0, written);
            }

            // The owner first, because changing it clears the set-id bits.
            if (place.Status is { } old)
            {
                FileStatus present = FileStatus.Of(file);
                if ((present.User, present.Group) != (old.User, old.Group) && LibC.ChangeOwner(file, old.User, old.Group) != 0)
                    throw FileErrors.Last($"{place.Path}: its owner could not be kept");
                if (LibC.ChangeMode(file, old.Mode) != 0)
                    throw FileErrors.Last($"{place.Path}: its mode could not be kept");
            }

            if (isForAll && LibC.ChangeMode(file, ReadableByAll) != 0)
                throw FileErrors.Last($"{place.Path}: its mode could not be set");
            return LibC.FSync(file) == 0 ? FileStatus.Of(file) : throw FileErrors.Last(place.Path);
        }
        catch
        {
            Unlink(place, temporary);
            throw;
        }
    }

    /// <returns>False if the file system does not support this kind of rename.</returns>
    /// <exception cref="FileChangedException">The target does not exist, or already exists.</exception>
    private static bool TryRename(FilePlace place, string from, string to, int flags)
    {
        if (LibC.RenameAt2(place.Folder, from, place.Folder, to, flags) == 0)
            return true;
        int errno = Marshal.GetLastPInvokeError();
        return (Errno)errno switch
        {
            Errno.InvalidArgument or Errno.NotImplemented or Errno.NotSupported => false,
            Errno.NotFound or Errno.Exists => throw new FileChangedException(place.Path),
            _ => throw FileErrors.Of(place.Path, errno),
        };
    }

    /// <summary>Checks just before the change, for file systems without an atomic check.</summary>
    private static void RequireStill(FilePlace place, FileStatus? expected)
    {
        FileStatus? now = place.Look();
        if (expected is { } old ? now is not { } found || !found.IsStill(old) : now is not null)
            throw new FileChangedException(place.Path);
    }

    private static void PlainRename(FilePlace place, string temporary)
    {
        if (LibC.RenameAt(place.Folder, temporary, place.Folder, place.Name) != 0)
            throw FileErrors.Last(place.Path);
    }

    private static void Unlink(FilePlace place, string name)
    {
        if (LibC.UnlinkAt(place.Folder, name) != 0)
            throw FileErrors.Last(place.Path);
    }

    private static SafeFileHandle Lock(FilePlace place)
    {
        SafeFileHandle handle = LibC.OpenAt(place.Folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (handle.IsInvalid)
            throw FileErrors.Last(place.Path);
        try
        {
            FileLock.Take(handle, $"the folder of {place.Path}");
        }
        catch
        {
            handle.Dispose();
            throw;
        }

        return handle;
    }
}
