using ConntrackPS.Linux;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Tests.Tuning;

/// <summary>A file that other programs read is replaced at once, or not at all.</summary>
public sealed class AtomicFilePutTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("ctps-put-").FullName;

    private string File => Path.Combine(_folder, "conntrack.prom");

    public void Dispose()
    {
        if (IsMounted)
            Shell.Run("umount", _folder);
        Directory.Delete(_folder, recursive: true);
    }

    private bool IsMounted => System.IO.File.ReadAllText("/proc/self/mounts").Contains($" {_folder} ", StringComparison.Ordinal);

    [Fact]
    public void All_users_may_read_it_whatever_the_umask_and_the_old_mode_are()
    {
        AtomicFile.Put(File, "one\n", isForAll: true);
        Assert.Equal("644", Mode());
        Shell.Run("chmod", "600", File);
        AtomicFile.Put(File, "two\n", isForAll: true);
        Assert.Equal("644", Mode());
        Assert.Equal("two\n", System.IO.File.ReadAllText(File));
        Assert.Equal([File], Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public async Task A_reader_beside_the_writer_never_sees_a_part()
    {
        // A file of some pages, of one letter each time.
        string[] contents = [.. "abcdefgh".Select(letter => new string(letter, 30000) + "\n")];
        AtomicFile.Put(File, contents[0], isForAll: true);
        using CancellationTokenSource stop = new();
        Task<int> reader = Task.Run(() =>
        {
            int read = 0;
            for (; !stop.IsCancellationRequested || read == 0; read++)
                Assert.Contains(System.IO.File.ReadAllText(File), contents);
            return read;
        });
        for (int i = 0; i < 50; i++)
            AtomicFile.Put(File, contents[i % contents.Length], isForAll: true);
        await stop.CancelAsync();
        Assert.True(await reader > 0);
        Assert.Equal([File], Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public void A_full_disk_keeps_the_old_file_and_leaves_nothing_behind()
    {
        Shell.Run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", _folder);
        AtomicFile.Put(File, "old\n", isForAll: true);
        IOException exception = Assert.Throws<IOException>(() => AtomicFile.Put(File, new string('x', 200_000), isForAll: true));
        Assert.Contains("No space left", exception.Message, StringComparison.Ordinal);
        Assert.Equal("old\n", System.IO.File.ReadAllText(File));
        Assert.Equal([File], Directory.GetFileSystemEntries(_folder));
    }

    [Theory]
    [InlineData("mkdir conntrack.prom", "is a folder")]
    [InlineData("ln -s /etc/passwd conntrack.prom", "is a link")]
    [InlineData("ln -s nowhere conntrack.prom", "is a link")]
    [InlineData("mkfifo conntrack.prom", "FIFO")]
    public void What_is_not_a_file_is_refused_and_stays(string make, string problem)
    {
        Shell.Run("sh", "-c", $"cd '{_folder}' && {make}");
        string before = Shell.Run("ls", "-ln", _folder);
        UnusableFileException exception = Assert.Throws<UnusableFileException>(() => AtomicFile.Put(File, "new\n", isForAll: true));
        Assert.Contains(problem, exception.Message, StringComparison.Ordinal);
        Assert.Equal(before, Shell.Run("ls", "-ln", _folder));
    }

    [Fact]
    public void A_missing_folder_is_not_created() =>
        Assert.ThrowsAny<IOException>(() => AtomicFile.Put(Path.Combine(_folder, "missing/conntrack.prom"), "new\n", isForAll: true));

    [Fact]
    public void A_link_to_the_folder_is_followed()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "real"));
        Directory.CreateSymbolicLink(Path.Combine(_folder, "link"), "real");
        AtomicFile.Put(Path.Combine(_folder, "link/conntrack.prom"), "new\n", isForAll: true);
        Assert.Equal("new\n", System.IO.File.ReadAllText(Path.Combine(_folder, "real/conntrack.prom")));
    }

    private string Mode() => Shell.Run("stat", "-c", "%a", File).Trim();
}
