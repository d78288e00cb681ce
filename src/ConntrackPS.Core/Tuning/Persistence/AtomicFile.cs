using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using System.Text;
using ConntrackPS.Linux;
using Microsoft.Win32.SafeHandles;

namespace ConntrackPS.Tuning.Persistence;

/// <summary>Changes a small text file so that, whatever happens, either the old or the new content is there, whole.</summary>
/// <remarks>A temporary file beside it, fsync, rename, fsync of the directory: rename(2), fsync(2). A lock on the
/// directory keeps two of us from losing each other's lines (flock(2)).</remarks>
internal static class AtomicFile
{
    private const UnixFileMode ReadableByAll =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>Keeps every byte of other people's comments, whatever their encoding.</summary>
    private static readonly Encoding Bytes = Encoding.Latin1;

    /// <summary>Changes the file's lines; null from the function deletes it.</summary>
    /// <param name="file">The file; its directory is made where it is missing. A link is followed.</param>
    /// <param name="edit">Takes the present lines and gives the new ones.</param>
    /// <returns>True where anything has changed.</returns>
    /// <exception cref="PersistenceException">Nothing has changed: the disk is full, read-only, or closed to us.</exception>
    public static bool Edit(string file, Func<IReadOnlyList<string>, IReadOnlyList<string>?> edit)
    {
        if (!OperatingSystem.IsLinux())
            throw new PlatformNotSupportedException("What is written here is read by Linux when it boots.");
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(file))!);
            FileInfo named = new(file);
            string target = named.LinkTarget is null ? named.FullName : named.ResolveLinkTarget(returnFinalTarget: true)!.FullName;
            string directory = Path.GetDirectoryName(target)!;
            using SafeFileHandle lockedDirectory = Lock(directory);
            string[] before = File.Exists(target) ? File.ReadAllLines(target, Bytes) : [];
            IReadOnlyList<string>? after = edit(before);
            if (after is null ? !File.Exists(target) : File.Exists(target) && before.SequenceEqual(after))
                return false;
            if (after is null)
                File.Delete(target);
            else
                Replace(target, after);
            _ = LibC.FSync(lockedDirectory);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new PersistenceException(file, exception);
        }
    }

    [UnsupportedOSPlatform("windows")]
    private static void Replace(string target, IReadOnlyList<string> lines)
    {
        // Hidden and without .conf at its end, so that boot never reads a left-over.
        string temporary = Path.Combine(Path.GetDirectoryName(target)!, $".{Path.GetFileName(target)}.{Guid.NewGuid():N}");
        try
        {
            FileStreamOptions options = new()
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = File.Exists(target) ? File.GetUnixFileMode(target) : ReadableByAll,
            };
            using (FileStream stream = new(temporary, options))
            {
                using (StreamWriter writer = new(stream, Bytes, leaveOpen: true) { NewLine = "\n" })
                {
                    foreach (string line in lines)
                        writer.WriteLine(line);
                }

                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, target, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    private static SafeFileHandle Lock(string directory)
    {
        int descriptor = LibC.Open(directory, LibC.O_RDONLY | LibC.O_CLOEXEC);
        if (descriptor < 0)
            throw new IOException($"{directory} could not be opened ({((Errno)Marshal.GetLastPInvokeError()).ToKernelName()}).");
        SafeFileHandle handle = new(descriptor, ownsHandle: true);

        // Some network file systems have no locks; there is rarely a second writer.
        _ = LibC.FLock(handle, LibC.LOCK_EX);
        return handle;
    }
}
