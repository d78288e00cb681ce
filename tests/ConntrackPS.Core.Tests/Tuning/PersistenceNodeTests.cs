using System.Net.Sockets;
using ConntrackPS.Linux;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Tuning.Persistence;
using Microsoft.Win32.SafeHandles;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Tests.Tuning;

/// <summary>Links, device nodes, pipes and sockets in place of a root's files. All nodes belong to the test.</summary>
public sealed class PersistenceNodeTests : IDisposable
{
    private const string Ours = "etc/sysctl.d/99-conntrackps.conf";
    private const string Timeout = "nf_conntrack_icmp_timeout";
    private const string Line = "net.netfilter.nf_conntrack_icmp_timeout = ";

    private readonly PersistenceFixture _files = new();
    private readonly PersistenceFixture _outside = new();

    public void Dispose()
    {
        _files.Dispose();
        _outside.Dispose();
    }

    [Theory]
    [InlineData(Ours)]
    [InlineData("etc/modprobe.d/conntrackps.conf")]
    [InlineData("etc/modules-load.d/conntrackps.conf")]
    public void A_mask_is_told_and_stays(string file)
    {
        Node("dev/null", "c", "1", "3");
        Link(file, "../../dev/null");
        string before = _files.Listing();
        PersistenceException exception = Assert.Throws<PersistenceException>(PersistBuckets);
        Assert.Equal(_files.Path(file), exception.File);
        Assert.Equal(before, _files.Listing());
    }

    /// <summary>All files are checked before the first one is written.</summary>
    [Theory]
    [InlineData("/dev/null")]
    [InlineData("/no/such/folder")]
    [InlineData("conntrackps.conf")]
    public void A_file_that_can_t_be_written_leaves_the_others_untouched(string target)
    {
        _files.Write(Ours, "a.b = 1");
        Link("etc/modprobe.d/conntrackps.conf", target);
        string before = _files.Listing();
        Assert.Throws<PersistenceException>(PersistBuckets);
        Assert.Equal(before, _files.Listing());
    }

    [Fact]
    public void A_mask_by_way_of_other_links_is_told_and_stays()
    {
        Node("dev/null", "c", "1", "3");
        Link("dev/nothing", "null");
        Link("etc/nothing", "../dev/nothing");
        Link(Ours, "../nothing");
        string before = _files.Listing();
        Assert.Throws<PersistenceException>(Persist);
        Assert.Equal(before, _files.Listing());
    }

    [Theory]
    [InlineData("p")]
    [InlineData("c", "1", "3")]
    [InlineData("c", "1", "5")]
    [InlineData("b", "7", "250")]
    public async Task What_is_no_file_is_never_replaced_nor_waited_for(params string[] kind)
    {
        foreach (string file in (string[])[Ours, "etc/modprobe.d/conntrackps.conf", "etc/modules-load.d/conntrackps.conf"])
        {
            Node(file, kind);
            string before = _files.Listing();
            await AtOnce(() => Assert.Equal(_files.Path(file), Assert.Throws<PersistenceException>(PersistBuckets).File));
            Assert.Equal(before, _files.Listing());
            File.Delete(_files.Path(file));
        }
    }

    [Fact]
    public async Task A_pipe_behind_a_link_is_never_replaced_nor_waited_for()
    {
        Node("run/pipe", "p");
        Link(Ours, "/run/pipe");
        string before = _files.Listing();
        await AtOnce(() => Assert.Throws<PersistenceException>(Persist));
        Assert.Equal(before, _files.Listing());
    }

    [Fact]
    public void A_socket_is_never_replaced()
    {
        _files.Folder("etc/sysctl.d");
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(_files.Path(Ours)));
        string before = _files.Listing();
        Assert.Throws<PersistenceException>(Persist);
        Assert.Equal(before, _files.Listing());
    }

    [Fact]
    public void A_folder_is_never_replaced()
    {
        _files.Folder(Ours);
        Assert.Throws<PersistenceException>(Persist);
        Assert.True(Directory.Exists(_files.Path(Ours)));
        Assert.Equal("", _files.Listing());
    }

    [Theory]
    [InlineData("etc")]
    [InlineData("etc/sysctl.d")]
    public async Task What_is_no_folder_on_the_way_is_never_replaced_nor_waited_for(string folder)
    {
        Node(folder, "p");
        string before = _files.Listing();
        await AtOnce(() => Assert.Throws<PersistenceException>(Persist));
        await AtOnce(() => Assert.Null(PersistedSettings.Read(_files.Root).Find(Timeout)));
        Assert.Equal(before, _files.Listing());
    }

    [Fact]
    public void A_link_in_a_circle_is_told()
    {
        Link(Ours, "99-other.conf");
        Link("etc/sysctl.d/99-other.conf", "99-conntrackps.conf");
        string before = _files.Listing();
        Assert.Throws<PersistenceException>(Persist);
        Assert.Equal(before, _files.Listing());
    }

    [Fact]
    public void A_link_is_resolved_within_the_root()
    {
        _outside.Write("file", "not = ours");
        Link(Ours, _outside.Path("file"));
        _files.Write(_outside.Path("file")[1..], "a.b = 1");
        string before = _outside.Listing();
        Persist();
        Assert.Equal(before, _outside.Listing());
        Assert.Equal(["not = ours"], File.ReadAllLines(_outside.Path("file")));
        Assert.Contains(Line + "7", File.ReadAllLines(_files.Path(_outside.Path("file")[1..])));
    }

    [Fact]
    public void A_link_to_a_folder_that_the_root_lacks_makes_none()
    {
        _outside.Write("file", "not = ours");
        Link(Ours, _outside.Path("file"));
        string before = _files.Listing() + _outside.Listing();
        Assert.Throws<PersistenceException>(Persist);
        Assert.Equal(before, _files.Listing() + _outside.Listing());
    }

    [Fact]
    public void A_link_does_not_climb_out_of_the_root()
    {
        string climb = string.Concat(Enumerable.Repeat("../", 40)) + _outside.Path("file")[1..];
        _outside.Write("file", "not = ours");
        Link(Ours, climb);
        _files.Folder(_outside.Path("")[1..]);
        Persist();
        Assert.Equal(["not = ours"], File.ReadAllLines(_outside.Path("file")));
        Assert.Contains(Line + "7", File.ReadAllLines(_files.Path(_outside.Path("file")[1..])));
    }

    [Theory]
    [InlineData("etc", "sysctl.d")]
    [InlineData("etc/sysctl.d", "")]
    public void A_folder_s_link_is_resolved_within_the_root(string folder, string below)
    {
        _outside.Folder(below);
        _outside.Write(System.IO.Path.Combine(below, "50-x.conf"), Line + "55");
        string before = _outside.Listing();
        Link(folder, _outside.Path(""));
        Assert.Null(PersistedSettings.Read(_files.Root).Find(Timeout));
        Assert.Throws<PersistenceException>(Persist);
        _files.Folder(System.IO.Path.Combine(_outside.Path("")[1..], below));
        Persist();
        Assert.Equal(before, _outside.Listing());
        Assert.Equal(7, PersistedSettings.Read(_files.Root).Find(Timeout)!.Number);
    }

    [Fact]
    public void A_link_among_the_files_that_boot_reads_is_resolved_within_the_root()
    {
        _outside.Write("file", Line + "55");
        Link("etc/sysctl.d/50-x.conf", _outside.Path("file"));
        Assert.Null(PersistedSettings.Read(_files.Root).Find(Timeout));
        _files.Write(_outside.Path("file")[1..], Line + "56");
        PersistedValue found = PersistedSettings.Read(_files.Root).Find(Timeout)!;
        Assert.Equal((56L, _files.Path("etc/sysctl.d/50-x.conf")), (found.Number, found.File));
    }

    [Theory]
    [InlineData("etc/sysctl.d/50-x.conf")]
    [InlineData("usr/lib/sysctl.d/50-x.conf")]
    [InlineData("run/sysctl.d")]
    [InlineData("etc/sysctl.conf")]
    public async Task A_pipe_among_the_files_that_boot_reads_is_not_waited_for(string file)
    {
        _files.Write("etc/sysctl.d/10-first.conf", Line + "5");
        Node(file, "p");
        await AtOnce(() => Assert.Equal(5, PersistedSettings.Read(_files.Root).Find(Timeout)!.Number));
        Assert.Contains(file + " is a FIFO", Assert.Single(PersistedSettings.Read(_files.Root).Problems), StringComparison.Ordinal);
        await AtOnce(Persist);
    }

    [Fact]
    public async Task Whatever_else_is_among_the_files_that_boot_reads_is_told()
    {
        Node("etc/sysctl.d/10-zeros.conf", "c", "1", "5");
        Node("etc/sysctl.d/20-disk.conf", "b", "7", "250");
        _files.Folder("etc/sysctl.d/30-folder.conf");
        Link("etc/sysctl.d/40-circle.conf", "40-circle.conf");
        _files.Write("etc/sysctl.d/50-under.conf/file", "x");
        Link("etc/sysctl.d/60-below-file.conf", "70-file.conf/x");
        _files.Write("etc/sysctl.d/70-file.conf", Line + "5");
        _files.WriteText("etc/sysctl.d/80-huge.conf", new string('#', (1 << 20) + 1));
        await AtOnce(() =>
        {
            PersistedSettings persisted = PersistedSettings.Read(_files.Root);
            Assert.Equal(5, persisted.Find(Timeout)!.Number);
            Assert.Equal(
                ["10-zeros.conf", "20-disk.conf", "30-folder.conf", "40-circle.conf", "50-under.conf", "60-below-file.conf", "80-huge.conf"],
                persisted.Problems.Select(problem => System.IO.Path.GetFileName(problem.Split(' ')[0])));
        });
    }

    [Fact]
    public void A_mask_among_the_files_that_boot_reads_is_nothing_to_tell_of()
    {
        Node("dev/null", "c", "1", "3");
        _files.Write("usr/lib/sysctl.d/50-x.conf", Line + "5");
        Link("etc/sysctl.d/50-x.conf", "/dev/null");
        Link("etc/sysctl.d/60-gone.conf", "/no/such/file");
        PersistedSettings persisted = PersistedSettings.Read(_files.Root);
        Assert.Null(persisted.Find(Timeout));
        Assert.Empty(persisted.Problems);
    }

    /// <summary>An image has no devices before it is booted.</summary>
    [Fact]
    public void A_mask_needs_no_device()
    {
        Link("etc/sysctl.d/50-x.conf", "/dev/null");
        Assert.Empty(PersistedSettings.Read(_files.Root).Problems);
        Link(Ours, "../../dev/null");
        Assert.Contains("is masked", Assert.Throws<PersistenceException>(Persist).Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_files.Path("dev")));
    }

    [Fact]
    public async Task A_lock_that_somebody_holds_is_told()
    {
        _files.Folder("etc/sysctl.d");
        using SafeFileHandle folder = LibC.Open(_files.Path("etc/sysctl.d"), O_RDONLY | O_DIRECTORY);
        Assert.Equal(0, LibC.FLock(folder, LibC.LOCK_EX));
        await AtOnce(() => Assert.Contains("locked", Assert.Throws<PersistenceException>(Persist).Message, StringComparison.Ordinal));
    }

    [Fact]
    public void A_file_that_nobody_may_replace_is_told_and_stays()
    {
        _files.Write(Ours, "a.b = 1");
        Shell.Run("chattr", "+i", _files.Path(Ours));
        try
        {
            string before = _files.Listing();
            Assert.IsType<UnauthorizedAccessException>(Assert.Throws<PersistenceException>(Persist).InnerException);
            Assert.Equal(before, _files.Listing());
        }
        finally
        {
            Shell.Run("chattr", "-i", _files.Path(Ours));
        }
    }

    [Fact]
    public void A_mount_in_the_file_s_place_is_told_and_stays()
    {
        _files.Write(Ours, "a.b = 1");
        _files.Write("other", "c.d = 1");
        Shell.Run("mount", "--bind", _files.Path("other"), _files.Path(Ours));
        try
        {
            Assert.Throws<PersistenceException>(Persist);
            Assert.Equal(["c.d = 1"], File.ReadAllLines(_files.Path(Ours)));
        }
        finally
        {
            Shell.Run("umount", _files.Path(Ours));
        }

        Assert.Equal(["99-conntrackps.conf"], Directory.EnumerateFileSystemEntries(_files.Path("etc/sysctl.d")).Select(System.IO.Path.GetFileName));
    }

    [Theory]
    [InlineData("# was:\rnet.netfilter.nf_conntrack_icmp_timeout=5\n", true)]
    [InlineData("# was:\rnet.ipv4.ip_forward=5\n", false)]
    [InlineData("# a text\rof the 1980s\n", false)]
    public void Lines_that_readers_disagree_about_are_told(string text, bool isTold)
    {
        _files.WriteText("etc/sysctl.d/50-x.conf", text);
        PersistedSettings persisted = PersistedSettings.Read(_files.Root);
        Assert.Null(persisted.Find(Timeout));
        Assert.Equal(isTold ? 1 : 0, persisted.Problems.Count);
    }

    [Theory]
    [InlineData("etc/modules-load.d/x.conf")]
    [InlineData("etc/modules-load.d")]
    [InlineData("etc/modules")]
    public async Task A_pipe_among_the_files_with_modules_is_not_waited_for(string file)
    {
        Node(file, "p");
        _files.Write("usr/lib/modules-load.d/y.conf", "nf_conntrack");
        await AtOnce(PersistModular);
        Assert.False(File.Exists(_files.Path("etc/modules-load.d/conntrackps.conf")));
    }

    [Fact]
    public void A_mask_hides_a_file_with_modules()
    {
        Node("dev/null", "c", "1", "3");
        Link("etc/modules-load.d/x.conf", "../../dev/null");
        _files.Write("usr/lib/modules-load.d/x.conf", "nf_conntrack");
        PersistModular();
        Assert.True(File.Exists(_files.Path("etc/modules-load.d/conntrackps.conf")));
    }

    [Fact]
    public async Task A_huge_file_is_told_and_stays()
    {
        _files.Write(Ours, Line + "1");
        using (FileStream file = new(_files.Path(Ours), FileMode.Open))
            file.SetLength(20L << 30);
        string before = _files.Listing();
        await AtOnce(() => Assert.Throws<PersistenceException>(Persist));
        Assert.Equal(before, _files.Listing());
        await AtOnce(() => Assert.Null(PersistedSettings.Read(_files.Root).Find(Timeout)));
    }

    [Fact]
    public void Owner_group_and_mode_stay()
    {
        _files.Write(Ours, "a.b = 1");
        Shell.Run("chown", "12345:23456", _files.Path(Ours));
        Shell.Run("chmod", "2640", _files.Path(Ours));
        Persist();
        Assert.Equal("12345:23456 2640", Shell.Run("stat", "-c", "%u:%g %a", _files.Path(Ours)).Trim());
        Assert.Contains(Line + "7", File.ReadAllLines(_files.Path(Ours)));
    }

    [Fact]
    public void A_second_name_of_the_file_keeps_the_old_content()
    {
        _files.Write(Ours, "a.b = 1");
        Shell.Run("ln", _files.Path(Ours), _outside.Path("second"));
        Persist();
        Assert.Equal(["a.b = 1"], File.ReadAllLines(_outside.Path("second")));
    }

    /// <summary>A user with write access to the folder swaps a link, a node and a file while we persist. Only a file is ever replaced, and
    /// nothing outside the root.</summary>
    [Fact]
    public async Task What_is_swapped_in_meanwhile_is_never_replaced()
    {
        _outside.Write("file", "not = ours");
        Node("etc/sysctl.d/node", "c", "1", "3");
        Link("etc/sysctl.d/away", _outside.Path("file"));
        _files.Write("etc/sysctl.d/file", "a.b = 1");
        _files.Write(Ours, "c.d = 1");
        string node = Identity("etc/sysctl.d/node"), link = Identity("etc/sysctl.d/away"), before = _outside.Listing();
        using CancellationTokenSource stop = new();
        Task swapper = Task.Factory.StartNew(() => Swap(stop.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        int written = 0;
        for (int round = 0; round < 3000; round++)
        {
            try
            {
                new SettingPersister(_files.Root).Persist((Timeout, round + 1));
                written++;
            }
            catch (PersistenceException)
            {
                // The node or the link was in place.
            }
        }

        await stop.CancelAsync();
        await swapper;
        Assert.InRange(written, 1, 3000);
        Assert.Equal(before, _outside.Listing());
        Assert.Equal(["not = ours"], File.ReadAllLines(_outside.Path("file")));
        string[] identities = [.. new DirectoryInfo(_files.Path("etc/sysctl.d")).EnumerateFileSystemInfos().Select(info => Identity("etc/sysctl.d/" + info.Name))];
        Assert.Contains(node, identities);
        Assert.Contains(link, identities);
    }

    /// <summary>Swaps the node, the link and the file with ours in turn, and back. A swap loses nothing.</summary>
    private void Swap(CancellationToken stop)
    {
        using SafeFileHandle folder = LibC.Open(_files.Path("etc/sysctl.d"), O_RDONLY | O_DIRECTORY);
        while (!stop.IsCancellationRequested)
        {
            foreach (string name in (string[])["node", "away", "file"])
            {
                LibC.RenameAt2(folder, name, folder, "99-conntrackps.conf", LibC.RENAME_EXCHANGE);
                Thread.SpinWait(2000);
                LibC.RenameAt2(folder, name, folder, "99-conntrackps.conf", LibC.RENAME_EXCHANGE);
                Thread.SpinWait(20000);
            }
        }
    }

    private static async Task AtOnce(Action action) => await Task.Run(action).WaitAsync(TimeSpan.FromSeconds(30));

    private void Persist() => new SettingPersister(_files.Root).Persist((Timeout, 7));

    private void PersistModular() => new SettingPersister(_files.ModularRoot).Persist((Timeout, 7));

    private void PersistBuckets() => new SettingPersister(_files.ModularRoot).Persist(("nf_conntrack_buckets", 65536));

    private void Node(string relative, params string[] kind)
    {
        _files.Folder(System.IO.Path.GetDirectoryName(relative)!);
        Shell.Run("mknod", [_files.Path(relative), .. kind]);
    }

    private void Link(string relative, string target)
    {
        _files.Folder(System.IO.Path.GetDirectoryName(relative)!);
        File.CreateSymbolicLink(_files.Path(relative), target);
    }

    private string Identity(string relative) => Shell.Run("stat", "-c", "%i %F %t:%T %h", _files.Path(relative)).Trim();
}
