using ConntrackPS.Linux;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Tests.Tuning;

/// <summary>Whole files that are put into a place of the user's choice.</summary>
public sealed class AtomicFileTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("cps-test-put-");

    private string Target => Path.Combine(_folder.FullName, "report.html");

    [Fact]
    public void A_file_is_created_and_replaced_whole()
    {
        AtomicFile.Put(Target, "one", isForAll: false);
        Assert.Equal("one", File.ReadAllText(Target));

        // A file larger than any file of settings.
        File.WriteAllText(Target, new string('x', 3_000_000));
        AtomicFile.Put(Target, "two ü", isForAll: false);
        Assert.Equal("two ü", File.ReadAllText(Target));
        Assert.Equal([Target], Directory.GetFileSystemEntries(_folder.FullName));
    }

    [Theory]
    [InlineData(true, "644")]
    [InlineData(false, "600")]
    public void A_file_for_all_is_readable_whatever_the_umask(bool isForAll, string mode)
    {
        File.WriteAllText(Target, "old");
        Shell.Run("chmod", "600", Target);
        AtomicFile.Put(Target, "new", isForAll);
        Assert.Equal(mode, Shell.Run("stat", "-c", "%a", Target).Trim());
    }

    [Fact]
    public void A_link_stays_and_its_file_is_replaced()
    {
        string real = Path.Combine(_folder.FullName, "real.html");
        File.CreateSymbolicLink(Target, real);
        AtomicFile.Put(Target, "new", isForAll: false);
        Assert.Equal("new", File.ReadAllText(real));
        Assert.Equal(real, new FileInfo(Target).LinkTarget);
    }

    [Fact]
    public void A_folder_a_pipe_a_device_and_a_missing_folder_are_refused()
    {
        Directory.CreateDirectory(Target);
        Assert.Throws<UnusableFileException>(() => AtomicFile.Put(Target, "x", isForAll: false));
        string pipe = Path.Combine(_folder.FullName, "pipe");
        Shell.Run("mkfifo", pipe);
        Assert.Throws<UnusableFileException>(() => AtomicFile.Put(pipe, "x", isForAll: false));
        Assert.Throws<UnusableFileException>(() => AtomicFile.Put("/dev/null", "x", isForAll: false));
        Assert.Throws<DirectoryNotFoundException>(() => AtomicFile.Put(Path.Combine(_folder.FullName, "none", "x"), "x", isForAll: false));
        Assert.Equal("prw-r--r--", Shell.Run("stat", "-c", "%A", pipe).Trim());
    }

    [Fact]
    public void A_full_disk_leaves_the_old_file()
    {
        string mount = Directory.CreateDirectory(Path.Combine(_folder.FullName, "tiny")).FullName;
        Shell.Run("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", mount);
        try
        {
            string file = Path.Combine(mount, "report.html");
            AtomicFile.Put(file, "old", isForAll: false);
            Assert.Throws<IOException>(() => AtomicFile.Put(file, new string('x', 100_000), isForAll: false));
            Assert.Equal("old", File.ReadAllText(file));
            Assert.Equal([file], Directory.GetFileSystemEntries(mount));
        }
        finally
        {
            Shell.Run("umount", mount);
        }
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
