using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Linux;

/// <summary>A folder used as the root of a file system: symbolic links below it are resolved as if it were <c>/</c>, and can't lead
/// outside.</summary>
/// <remarks>Does the same as openat2(2) with RESOLVE_IN_ROOT (Linux 5.6), name by name. It works on older kernels, reports the part of the
/// path that is a problem, and creates missing folders. Each name is opened relative to the open folder before it, with O_NOFOLLOW, so that
/// no other program can replace a part between a check and the next step.</remarks>
internal sealed class RootFolder : IDisposable
{
    /// <summary>The maximum number of links that the kernel follows (MAXSYMLINKS).</summary>
    private const int MostLinks = 40;

    private const int LongestLink = 4096;
    private const ushort FolderMode = 0x1ed;
    private const string NullDevice = "/dev/null";

    private readonly SafeFileHandle _root;
    private readonly string _path;

    private RootFolder(string path, SafeFileHandle root) => (_path, _root) = (path, root);

    /// <summary>Opens a root. Links to the root itself are followed, because the user named it.</summary>
    /// <returns>Null if it does not exist.</returns>
    /// <exception cref="IOException">It is not a folder.</exception>
    /// <exception cref="UnauthorizedAccessException">The caller may not access it.</exception>
    public static RootFolder? TryOpen(string path)
    {
        SafeFileHandle root = LibC.Open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (!root.IsInvalid)
            return new RootFolder(path, root);
        int errno = Marshal.GetLastPInvokeError();
        return (Errno)errno == Errno.NotFound ? null : throw FileErrors.Of(path, errno);
    }

    /// <summary>Resolves a path below this root.</summary>
    /// <param name="name">The path, with slashes, without a leading slash.</param>
    /// <returns>Null if a folder of the path does not exist.</returns>
    /// <exception cref="UnusableFileException">The file is masked, links form a loop, or a part that must be a folder is not.</exception>
    /// <exception cref="UnauthorizedAccessException">The caller may not access a folder of the path.</exception>
    public FilePlace? Find(string name) => Walk(name, isForWriting: false, makesFolders: false);

    /// <summary>Like <see cref="Find"/>, for a file that will be written. Null only if folders are missing that can be created.</summary>
    /// <exception cref="UnusableFileException">As for Find; or a link refers to a folder that does not exist.</exception>
    public FilePlace? FindToWrite(string name) => Walk(name, isForWriting: true, makesFolders: false);

    /// <summary>Like <see cref="FindToWrite"/>, and creates missing folders of the path itself. It does not create folders that only a link
    /// refers to.</summary>
    /// <exception cref="UnusableFileException">As for Find; or a link refers to a folder that does not exist.</exception>
    public FilePlace FindOrMake(string name) => Walk(name, isForWriting: true, makesFolders: true)!;

    /// <summary>The names in a folder. Empty if the folder does not exist.</summary>
    /// <exception cref="IOException">It is not a folder, or can't be read.</exception>
    public IReadOnlyList<string> Names(string folder)
    {
        using FilePlace? place = Find(folder);
        if (place?.Status is null)
            return [];
        using SafeFileHandle opened = place.OpenFolder();

        // .NET has no other way to list an open folder.
        return [.. Directory.EnumerateFileSystemEntries($"/proc/self/fd/{opened.DangerousGetHandle()}").Select(Path.GetFileName)!];
    }

    public void Dispose() => _root.Dispose();

    private FilePlace? Walk(string name, bool isForWriting, bool makesFolders)
    {
        using PathWalk walk = new(_root, _path.TrimEnd('/'), name);
        while (walk.TryStep(out string next, out bool isOfLink))
        {
            SafeFileHandle? opened = walk.TryOpen(next);
            if (opened is null && walk.HasMore)
            {
                walk.RefuseMask(next);
                if (isForWriting && isOfLink)
                    throw walk.NowhereToGo(next);
                if (!makesFolders)
                    return null;
                opened = walk.Make(next);
            }

            if (opened is null)
                return walk.End(next, null);
            if (walk.Go(next, opened) is { } status)
                return walk.End(next, status);
        }

        return walk.End(".", null);
    }

    /// <summary>Resolves a path step by step from the root.</summary>
    private sealed class PathWalk : IDisposable
    {
        private readonly string _root;

        /// <summary>The folders from the root to the current one.</summary>
        private readonly List<(SafeFileHandle Folder, string Name)> _stack = [];

        /// <summary>The remaining names, with the next one on top.</summary>
        private readonly Stack<(string Name, bool IsOfLink)> _rest = new();

        private string? _firstLink;
        private int _links;

        public PathWalk(SafeFileHandle root, string path, string name)
        {
            _root = path;
            _stack.Add((OpenFolder(root), ""));
            Push(name, isOfLink: false);
        }

        public bool HasMore => _rest.Count > 0;

        private SafeFileHandle Here => _stack[^1].Folder;

        /// <summary>Returns the next name that is not a dot, or false if there is none.</summary>
        public bool TryStep(out string name, out bool isOfLink)
        {
            while (_rest.TryPop(out (string Name, bool IsOfLink) next))
            {
                (name, isOfLink) = next;
                if (name == "..")
                    LeaveTo(Math.Max(1, _stack.Count - 1));
                else if (name != ".")
                    return true;
            }

            (name, isOfLink) = ("", false);
            return false;
        }

        /// <summary>Opens a name in the current folder with O_PATH, only for its status. This does not open a device.</summary>
        public SafeFileHandle? TryOpen(string name)
        {
            SafeFileHandle opened = LibC.OpenAt(Here, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
            if (!opened.IsInvalid)
                return opened;
            int errno = Marshal.GetLastPInvokeError();
            return (Errno)errno == Errno.NotFound ? null : throw FileErrors.Of(PathOf(name), errno);
        }

        public SafeFileHandle Make(string name)
        {
            if (LibC.MakeFolderAt(Here, name, FolderMode) != 0 && (Errno)Marshal.GetLastPInvokeError() != Errno.Exists)
                throw FileErrors.Last(PathOf(name));
            return TryOpen(name) ?? throw new FileChangedException(PathOf(name));
        }

        /// <summary>Enters a folder, or follows a link and returns null.</summary>
        /// <returns>The status of the file if this is the end of the path.</returns>
        public FileStatus? Go(string name, SafeFileHandle opened)
        {
            FileStatus status = FileStatus.Of(opened);
            if (status.Kind == FileKind.Folder && HasMore)
            {
                _stack.Add((opened, name));
                return null;
            }

            using (opened)
            {
                if (status.Kind == FileKind.Link)
                    Follow(name, opened);
                else if (HasMore)
                    throw new UnusableFileException(_firstLink ?? PathOf(name), $"{Leads(name)}is {status.Describe()}, not a folder");
                else
                    return status;
                return null;
            }
        }

        /// <summary>The place where the path ends.</summary>
        public FilePlace End(string name, FileStatus? status)
        {
            if (name == ".")
                status = FileStatus.Of(Here);
            RefuseMask(name, status);
            return new FilePlace(OpenFolder(Here), name, PathOf(name), _firstLink, status);
        }

        /// <summary>systemd and other programs treat a link to /dev/null as a mask, even if this root has no such device.</summary>
        public void RefuseMask(string name, FileStatus? status = null)
        {
            string rest = string.Concat(_rest.Select(next => "/" + next.Name));
            bool isNull = _firstLink is not null && Path.GetFullPath(Below(name) + rest) == NullDevice;
            if (isNull || status?.IsNullDevice == true)
                throw new UnusableFileException(_firstLink ?? PathOf(name), _firstLink is null ? "is masked: it is the null device" : $"is masked: it leads to {NullDevice}", isMask: true);
        }

        public UnusableFileException NowhereToGo(string name) => new(_firstLink!, $"leads to a folder that does not exist, {PathOf(name)}");

        public void Dispose() => _stack.ForEach(step => step.Folder.Dispose());

        private void Follow(string name, SafeFileHandle link)
        {
            _firstLink ??= PathOf(name);
            if (++_links > MostLinks)
                throw new UnusableFileException(_firstLink, $"is one of more than {MostLinks} links, or part of a link loop");
            string target = ReadLink(link, PathOf(name));
            if (target.StartsWith('/'))
                LeaveTo(1);
            Push(target, isOfLink: true);
        }

        /// <summary>A trailing slash requires a folder, like a trailing dot.</summary>
        private void Push(string path, bool isOfLink)
        {
            foreach (string name in (path.EndsWith('/') ? path + "." : path).Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse())
                _rest.Push((name, isOfLink));
        }

        private void LeaveTo(int count)
        {
            _stack[count..].ForEach(step => step.Folder.Dispose());
            _stack.RemoveRange(count, _stack.Count - count);
        }

        private string PathOf(string name) => _root + Below(name);

        private string Below(string name) => string.Join('/', _stack.Select(step => step.Name)) + "/" + name;

        /// <summary>The text for a path that was a link.</summary>
        private string Leads(string name) => _firstLink is null || _firstLink == PathOf(name) ? "" : $"leads to {PathOf(name)}, which ";

        private static SafeFileHandle OpenFolder(SafeFileHandle folder)
        {
            SafeFileHandle opened = LibC.OpenAt(folder, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
            return opened.IsInvalid ? throw FileErrors.Last("a folder could not be opened") : opened;
        }

        private static string ReadLink(SafeFileHandle link, string path)
        {
            Span<byte> target = stackalloc byte[LongestLink];
            int length = LibC.ReadLinkAt(link, "", target);
            return length >= 0 ? Encoding.UTF8.GetString(target[..length]) : throw FileErrors.Last(path);
        }
    }
}
