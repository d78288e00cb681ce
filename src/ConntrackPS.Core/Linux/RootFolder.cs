using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Linux;

/// <summary>A folder as the root of a file system: links below it are resolved as if it were <c>/</c>, and lead nowhere else.</summary>
/// <remarks>What openat2(2) does with RESOLVE_IN_ROOT since Linux 5.6, name by name: it works on older kernels, tells what is in
/// the way, and makes the folders that are missing. Each name is opened below the folder before it, and never followed by
/// the kernel, so that nothing can be swapped in between a look and a step.</remarks>
internal sealed class RootFolder : IDisposable
{
    /// <summary>As many as the kernel follows (MAXSYMLINKS).</summary>
    private const int MostLinks = 40;

    private const int LongestLink = 4096;
    private const ushort FolderMode = 0x1ed;
    private const string NullDevice = "/dev/null";

    private readonly SafeFileHandle _root;
    private readonly string _path;

    private RootFolder(string path, SafeFileHandle root) => (_path, _root) = (path, root);

    /// <summary>Opens a root; links that lead to it itself are followed, since it is what the user named.</summary>
    /// <returns>Null where there is none.</returns>
    /// <exception cref="IOException">It is no folder.</exception>
    /// <exception cref="UnauthorizedAccessException">It is not for us.</exception>
    public static RootFolder? TryOpen(string path)
    {
        SafeFileHandle root = LibC.Open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (!root.IsInvalid)
            return new RootFolder(path, root);
        int errno = Marshal.GetLastPInvokeError();
        return (Errno)errno == Errno.NotFound ? null : throw FileErrors.Of(path, errno);
    }

    /// <summary>Where a name leads, below this root.</summary>
    /// <param name="name">The name, with slashes, without one at its beginning.</param>
    /// <returns>Null where a folder on the way is missing.</returns>
    /// <exception cref="UnusableFileException">A mask, a circle of links, or no folder where one must be.</exception>
    /// <exception cref="UnauthorizedAccessException">A folder on the way is not for us.</exception>
    public FilePlace? Find(string name) => Walk(name, isForWriting: false, makesFolders: false);

    /// <summary>The same, for a file that is to be written: null only where folders are missing that can be made.</summary>
    /// <exception cref="UnusableFileException">As above; or a link leads to a folder that isn't there.</exception>
    public FilePlace? FindToWrite(string name) => Walk(name, isForWriting: true, makesFolders: false);

    /// <summary>The same, and makes the folders of the name that are missing; none that only a link names.</summary>
    /// <exception cref="UnusableFileException">As above; or a link leads to a folder that isn't there.</exception>
    public FilePlace FindOrMake(string name) => Walk(name, isForWriting: true, makesFolders: true)!;

    /// <summary>The names in a folder; none where it is missing.</summary>
    /// <exception cref="IOException">It is no folder, or can't be read.</exception>
    public IReadOnlyList<string> Names(string folder)
    {
        using FilePlace? place = Find(folder);
        if (place?.Status is null)
            return [];
        using SafeFileHandle opened = place.OpenFolder();

        // The one way .NET has to list an opened folder.
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

    /// <summary>Resolves a path step by step, from the root to what it names.</summary>
    private sealed class PathWalk : IDisposable
    {
        private readonly string _root;

        /// <summary>The folders from the root to where we stand.</summary>
        private readonly List<(SafeFileHandle Folder, string Name)> _stack = [];

        /// <summary>The names that are left, the next one last.</summary>
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

        /// <summary>The next name that is no dot; false where there is none.</summary>
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

        /// <summary>Opens a name in the present folder with O_PATH, for its status alone: to a device that is no open.</summary>
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

        /// <summary>Enters a folder, or goes where a link leads; null then.</summary>
        /// <returns>What stands at the end of the way, where this is it.</returns>
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

        /// <summary>The place where the way has ended.</summary>
        public FilePlace End(string name, FileStatus? status)
        {
            if (name == ".")
                status = FileStatus.Of(Here);
            RefuseMask(name, status);
            return new FilePlace(OpenFolder(Here), name, PathOf(name), _firstLink, status);
        }

        /// <summary>systemd and others take a link to /dev/null for a mask, be there such a device below this root or not.</summary>
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

        /// <summary>A slash at the end asks for a folder, as a dot there does.</summary>
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

        /// <summary>Where a link is what was named.</summary>
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
