using System.Text;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Tests.Tuning;

/// <summary>A test's own root directory: the machine's /etc is never changed.</summary>
public sealed class PersistenceFixture : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("cps-test-root-");

    public PersistenceFixture() => Root = new SystemRoot(_directory.FullName, isModular: false);

    internal SystemRoot Root { get; }

    internal SystemRoot ModularRoot => new(_directory.FullName, isModular: true);

    public string Path(string relative) => System.IO.Path.Combine(_directory.FullName, relative);

    public void Folder(string relative) => Directory.CreateDirectory(Path(relative));

    public void Write(string relative, params string[] lines)
    {
        Folder(System.IO.Path.GetDirectoryName(relative)!);
        File.WriteAllLines(Path(relative), lines);
    }

    public void WriteText(string relative, string text)
    {
        Folder(System.IO.Path.GetDirectoryName(relative)!);
        File.WriteAllText(Path(relative), text, Encoding.Latin1);
    }

    public string Text(string relative) => File.ReadAllText(Path(relative), Encoding.Latin1);

    /// <summary>The status of every file except folders: inode, type, mode, owner, device, size, time of the last change, link target.
    /// Opens no file.</summary>
    public string Listing() => string.Join('\n', Shell.Run(
        "find", _directory.FullName, "!", "-type", "d", "-printf", "%P %i %y %m %U:%G %s %T@ %n %l\n").Split('\n').Order(StringComparer.Ordinal));

    /// <summary>Every file with its content.</summary>
    public Dictionary<string, string> Content() => Directory.EnumerateFiles(_directory.FullName, "*", SearchOption.AllDirectories)
        .ToDictionary(file => System.IO.Path.GetRelativePath(_directory.FullName, file), File.ReadAllText);

    public void Dispose() => _directory.Delete(recursive: true);
}
