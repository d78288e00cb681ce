using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Tests.Tuning;

/// <summary>A root directory of a test's own: the machine's /etc is never touched.</summary>
public sealed class PersistenceFixture : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("cps-test-root-");

    public PersistenceFixture() => Root = new SystemRoot(_directory.FullName, isModular: false);

    public SystemRoot Root { get; }

    public SystemRoot ModularRoot => new(_directory.FullName, isModular: true);

    public string Path(string relative) => System.IO.Path.Combine(_directory.FullName, relative);

    public void Write(string relative, params string[] lines)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path(relative))!);
        File.WriteAllLines(Path(relative), lines);
    }

    /// <summary>Every file and what is in it.</summary>
    public Dictionary<string, string> Content() => Directory.EnumerateFiles(_directory.FullName, "*", SearchOption.AllDirectories)
        .ToDictionary(file => System.IO.Path.GetRelativePath(_directory.FullName, file), File.ReadAllText);

    public void Dispose() => _directory.Delete(recursive: true);
}
