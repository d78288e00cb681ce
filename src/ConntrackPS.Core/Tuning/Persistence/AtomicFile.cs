using System.Diagnostics;
using System.Runtime.InteropServices;
using ConntrackPS.Linux;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Tuning.Persistence;

/// <summary>Changes a small file so that, whatever happens, either the old or the new content is there, whole; and changes
/// nothing but a regular file.</summary>
/// <remarks>A temporary file beside it, fsync, rename, fsync of the folder: rename(2), fsync(2). A lock of the folder keeps
/// two of us from losing each other's lines (flock(2)). Everything happens in one opened folder, whose names are not
/// followed. What comes out of the file's place is compared with what was read, before it is deleted (renameat2(2)):
/// a file that another program has put there goes back.</remarks>
internal static class AtomicFile
{
    /// <summary>How names of files begin that are not yet in their place.</summary>
    public const string TemporaryPrefix = ".conntrackps.";

    private const ushort ReadableByAll = 0x1a4;
    private const ushort OurOwn = 0x180;

    private static readonly TimeSpan LongestLock = TimeSpan.FromSeconds(10);

    /// <summary>Changes the file's bytes; null stands for no file.</summary>
    /// <param name="root">Below which it is; links stay within.</param>
    /// <param name="name">Its name there. Folders that are missing are made.</param>
    /// <param name="edit">Takes the present bytes and gives the new ones; may be called again.</param>
    /// <returns>True where anything has changed.</returns>
    /// <exception cref="IOException">Nothing has changed: the disk is full or read-only, or no file is there
    /// (<see cref="UnusableFileException"/>).</exception>
    /// <exception cref="UnauthorizedAccessException">Nothing has changed: the file or its folder is closed to us.</exception>
    public static bool Edit(RootFolder root, string name, Func<byte[]?, byte[]?> edit) => FileChangedException.Again(() => EditOnce(root, name, edit));

    /// <summary>Looks whether there is a file, or none, where one is to be written.</summary>
    /// <exception cref="IOException">As for <see cref="Edit"/>.</exception>
    public static void Check(RootFolder root, string name) => FileChangedException.Again(() =>
    {
        using FilePlace? place = root.FindToWrite(name);
        return place?.Read();
    });

    private static bool EditOnce(RootFolder root, string name, Func<byte[]?, byte[]?> edit)
    {
        // Nothing is made for a file that is not there and need not be.
        using (FilePlace? present = root.Find(name))
        {
            if (present?.Status is null && edit(null) is null)
                return false;
        }

        using FilePlace first = root.FindOrMake(name);
        using SafeFileHandle locked = Lock(first);

        // Looked for again, since others may have been at it before we had the lock.
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

    /// <summary>Puts new content in the file's place, or nothing.</summary>
    private static void Replace(FilePlace place, byte[]? content)
    {
        // Hidden and without .conf at its end, so that boot never reads a left-over.
        string temporary = $"{TemporaryPrefix}{Guid.NewGuid():N}";
        FileStatus? ours = content is null ? null : Write(place, temporary, content);
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
            // What we wrote, where it has not got into its place.
            if (ours is { } written && place.Look(temporary) is { } left && left.IsSameFile(written))
                Unlink(place, temporary);
        }
    }

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

    /// <summary>Deletes what came out of the file's place, if it is what was read.</summary>
    private static bool RemoveOld(FilePlace place, string temporary, FileStatus old)
    {
        if (place.Look(temporary) is not { } found || !found.IsStill(old))
            return false;
        Unlink(place, temporary);
        return true;
    }

    /// <summary>Something else stood there: it goes back, and ours comes out again.</summary>
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
            // Gone from its place, or one is there again.
            isBack = ours is not null && place.Look() is null && TryRename(place, temporary, place.Name, LibC.RENAME_NOREPLACE);
        }

        throw isBack
            ? new FileChangedException(place.Path)
            : new IOException($"{place.Path} keeps being changed by another program; the content in between was saved as {temporary} in the same folder");
    }

    /// <summary>A new file, whole and on the disk, with the owner, group and mode of the one before.</summary>
    private static FileStatus Write(FilePlace place, string temporary, byte[] content)
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

            // The owner first: a change of it takes set-id bits away.
            if (place.Status is { } old)
            {
                FileStatus present = FileStatus.Of(file);
                if ((present.User, present.Group) != (old.User, old.Group) && LibC.ChangeOwner(file, old.User, old.Group) != 0)
                    throw FileErrors.Last($"{place.Path}: its owner could not be kept");
                if (LibC.ChangeMode(file, old.Mode) != 0)
                    throw FileErrors.Last($"{place.Path}: its mode could not be kept");
            }

            return LibC.FSync(file) == 0 ? FileStatus.Of(file) : throw FileErrors.Last(place.Path);
        }
        catch
        {
            Unlink(place, temporary);
            throw;
        }
    }

    /// <returns>False where the file system can't rename so.</returns>
    /// <exception cref="FileChangedException">There is no file to take the place of, or there is one already.</exception>
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

    /// <summary>Where the file system can do no better, we look just before.</summary>
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
        long started = Stopwatch.GetTimestamp();
        while (LibC.FLock(handle, LibC.LOCK_EX | LibC.LOCK_NB) != 0)
        {
            // Some network file systems have no locks; there is rarely a second writer.
            if ((Errno)Marshal.GetLastPInvokeError() is not (Errno.TryAgain or Errno.Interrupted))
                break;
            if (Stopwatch.GetElapsedTime(started) > LongestLock)
            {
                handle.Dispose();
                throw new IOException($"the folder of {place.Path} has been locked (flock) by another process for {LongestLock.TotalSeconds} seconds");
            }

            Thread.Sleep(10);
        }

        return handle;
    }
}
