using System.Globalization;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.History;
using ConntrackPS.Linux;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Diagnosis.History;

/// <summary>What a history keeps, however its file was damaged.</summary>
public sealed class HistoryTests : IDisposable
{
    private const string Cut = "2026-11-20T12:00:00.000Z,99,,7.000,,12";

    private static readonly DateTime Noon = new(2026, 11, 20, 12, 0, 0, DateTimeKind.Utc);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("cps-test-history-");

    private string File => Path.Combine(_folder.FullName, "history.csv");

    [Fact]
    public void What_is_appended_is_read_back()
    {
        HistoryWriter writer = new(File);
        writer.Append(Make(1, drop: 5, sources: new() { ["10.0.0.1"] = 7, ["2001:db8::1"] = 3 }));
        writer.Append(Make(2, drop: 25, networkNamespace: "blue"));
        writer.Append(Make(3, drop: 65, count: 900));
        ConntrackHistoryRecord[] records = Read();
        Assert.Equal([1, 2, 3], records.Select(record => record.Sequence!.Value));
        Assert.Equal([Noon.AddSeconds(10), Noon.AddSeconds(20), Noon.AddSeconds(30)], records.Select(record => record.Time.ToUniversalTime()));
        Assert.Equal(["10.0.0.1", "2001:db8::1"], records[0].TopSources!.Keys);
        Assert.Equal([7, 3], records[0].TopSources!.Values);
        Assert.Equal([null, "blue", null], records.Select(record => record.Namespace));
        Assert.Null(records[0].DropPerSecond);
        Assert.Null(records[1].DropPerSecond);
        Assert.Equal(3, records[2].DropPerSecond);
        Assert.Equal(20, records[2].Seconds);
        Assert.Equal(800, records[2].CountChange);
        Assert.Equal(90, records[2].FillPercent);
        Assert.Null(records[2].EarlyDrop);
        Assert.Null(records[2].EarlyDropPerSecond);
    }

    [Fact]
    public void Names_of_any_text_are_read_as_they_were_written()
    {
        string[] names = ["plain", "a,b", "a\"b", "a\nb", "a\r\nb", " a ", "<script>", "\u202eabc", "2026-11-20T12:00:00.000Z,1,,1.000,,5", "\"\n\"", "#x"];
        HistoryWriter writer = new(File);
        for (int i = 0; i < names.Length; i++)
            writer.Append(Make(i, networkNamespace: names[i], sources: new() { [names[i]] = i }));
        ConntrackHistoryRecord[] records = Read();
        Assert.Equal(names, records.Select(record => record.Namespace));
        Assert.Equal(names, records.Select(record => record.TopSources!.Single().Key));
    }

    /// <summary>A crash leaves the beginning of a line. Wherever it ends, only this record is lost, and the next one is whole.</summary>
    [Fact]
    public void A_line_that_is_cut_anywhere_costs_itself_alone()
    {
        new HistoryWriter(File).Append(Make(1));
        byte[] before = System.IO.File.ReadAllBytes(File);
        new HistoryWriter(File).Append(Make(2, networkNamespace: "a\nb,\"c", sources: new() { ["10.0.0.1"] = 12 }));
        byte[] whole = System.IO.File.ReadAllBytes(File);
        for (int length = before.Length + 1; length < whole.Length; length++)
        {
            System.IO.File.WriteAllBytes(File, whole[..length]);
            HistoryReader cut = new(File);
            bool isWhole = length == whole.Length - 1;
            Assert.Equal(isWhole ? 2 : 1, cut.Read(() => false).Count());
            Assert.Equal(isWhole ? 0 : 1, Math.Min(cut.Damaged, 1));

            HistoryWriter writer = new(File);
            ConntrackHistoryRecord next = writer.Append(Make(3));

            // The line feed of a name looks like the end of a line. The quotation mark before it tells the difference.
            Assert.Equal(whole[length - 1] == '\n' ? 0 : 1, writer.Repaired);
            Assert.Equal(isWhole ? 3 : 2, next.Sequence);
            HistoryReader repaired = new(File);
            Assert.Equal(isWhole ? [1, 2, 3] : [1, 2], repaired.Read(() => false).Select(record => record.Sequence!.Value));
            Assert.Equal(isWhole ? null : (File, 4L), repaired.FirstDamaged);
        }
    }

    [Fact]
    public void Damage_is_counted_with_its_first_line()
    {
        HistoryWriter writer = new(File);
        writer.Append(Make(1));
        System.IO.File.AppendAllText(File, $"{Cut}\n\0\0\0\0\nnothing\n\"open\n");
        writer.Append(Make(2));
        System.IO.File.AppendAllText(File, new string('x', 1_000_000) + "\n");
        writer.Append(Make(3));
        HistoryReader reader = new(File);
        Assert.Equal(3, reader.Read(() => false).Count());
        Assert.Equal(5, reader.Damaged);
        Assert.Equal((File, 4L), reader.FirstDamaged);
    }

    [Theory]
    [InlineData("")]
    [InlineData("# Conn")]
    [InlineData("# ConntrackPS history, version 1\nTime,Seq")]
    public void A_file_with_a_part_of_its_first_lines_begins_anew(string content)
    {
        System.IO.File.WriteAllText(File, content);
        Assert.Empty(Read());
        Assert.Equal(1, new HistoryWriter(File).Append(Make(1)).Sequence);
        Assert.Single(Read());
    }

    [Fact]
    public void A_file_of_zeros_and_one_of_another_version_are_put_aside()
    {
        System.IO.File.WriteAllBytes(File, new byte[5000]);
        new HistoryWriter(File).Append(Make(1));
        Assert.Equal(5000, new FileInfo(File + ".1").Length);
        HistoryReader reader = new(File);
        Assert.Single(reader.Read(() => false));
        Assert.True(reader.Damaged > 0);

        System.IO.File.Delete(File + ".1");
        System.IO.File.WriteAllText(File, "# ConntrackPS history, version 2\nA,B\n");
        new HistoryWriter(File).Append(Make(1));
        Assert.StartsWith(HistoryFormat.Head, System.IO.File.ReadAllText(File), StringComparison.Ordinal);
        Assert.Throws<UnusableFileException>(Read);
    }

    [Theory]
    [InlineData("Name,Value\n1,2\n")]
    [InlineData("\n\n")]
    [InlineData("\u007fELF")]
    public void A_file_of_another_kind_is_refused_and_stays(string content)
    {
        System.IO.File.WriteAllText(File, content);
        Assert.Contains("is not a history", Assert.Throws<UnusableFileException>(() => new HistoryWriter(File).Append(Make(1))).Message, StringComparison.Ordinal);
        Assert.Contains("is not a history", Assert.Throws<UnusableFileException>(Read).Message, StringComparison.Ordinal);
        Assert.Equal(content, System.IO.File.ReadAllText(File));
    }

    [Fact]
    public void A_folder_and_a_pipe_are_refused()
    {
        Directory.CreateDirectory(File);
        Assert.Throws<UnusableFileException>(() => new HistoryWriter(File).Append(Make(1)));
        Assert.Throws<UnusableFileException>(Read);
        Directory.Delete(File);
        Shell.Run("mkfifo", File);
        Assert.Throws<UnusableFileException>(() => new HistoryWriter(File).Append(Make(1)));
        Assert.Throws<DirectoryNotFoundException>(() => new HistoryWriter(Path.Combine(_folder.FullName, "none/history.csv")).Append(Make(1)));
        Assert.Throws<FileNotFoundException>(() => new HistoryReader(File + "x").Read(() => false).ToList());
    }

    [Fact]
    public void Old_files_are_put_aside_and_read_in_order()
    {
        HistoryWriter writer = new(File) { MaximumSize = 2048, Keep = 3 };
        for (int i = 1; i <= 200; i++)
            writer.Append(Make(i));
        Assert.True(writer.Rotated > 3);
        Assert.Equal(["history.csv", "history.csv.1", "history.csv.2", "history.csv.3"], Names());
        Assert.All(_folder.GetFiles(), file => Assert.InRange(file.Length, 1, 2048));
        long[] sequences = [.. Read().Select(record => record.Sequence!.Value)];
        Assert.Equal(Enumerable.Range((int)sequences[0], sequences.Length).Select(number => (long)number), sequences);
        Assert.Equal(200, sequences[^1]);

        // After a crash between two renames.
        System.IO.File.Delete(File);
        System.IO.File.Delete(File + ".2");
        Assert.True(writer.Append(Make(201)).Sequence is > 1 and <= 201);
        Assert.Equal(["history.csv", "history.csv.1", "history.csv.3"], Names());
        long[] left = [.. Read().Select(record => record.Sequence!.Value)];
        Assert.Equal(left.Order(), left);
    }

    [Fact]
    public void The_link_stays_a_link_and_its_file_is_put_aside()
    {
        string target = Path.Combine(_folder.FullName, "there", "real.csv");
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        System.IO.File.CreateSymbolicLink(File, target);
        HistoryWriter writer = new(File) { MaximumSize = 1024, Keep = 2 };
        for (int i = 1; i <= 20; i++)
            writer.Append(Make(i));
        Assert.Equal(["history.csv"], Names());
        Assert.Equal(target, new FileInfo(File).LinkTarget);
        Assert.Contains("real.csv.1", Directory.GetFiles(Path.GetDirectoryName(target)!).Select(Path.GetFileName));
    }

    /// <summary>Several writers at once: no record is lost, none is mixed with another, and each number is given once.</summary>
    [Fact]
    public void Two_writers_at_once_lose_nothing()
    {
        const int Each = 300;
        Parallel.For(0, 4, new ParallelOptions { MaxDegreeOfParallelism = 4 }, writer =>
        {
            for (int i = 0; i < Each; i++)
                new HistoryWriter(File) { MaximumSize = 8192, Keep = 1000 }.Append(Make(i, networkNamespace: $"writer{writer}"));
        });
        HistoryReader reader = new(File);
        ConntrackHistoryRecord[] records = [.. reader.Read(() => false)];
        Assert.Equal(0, reader.Damaged);
        Assert.Equal(Enumerable.Range(1, 4 * Each).Select(number => (long)number), records.Select(record => record.Sequence!.Value));
    }

    [Fact]
    public void A_full_disk_leaves_the_file_as_it_was()
    {
        string mount = Directory.CreateDirectory(Path.Combine(_folder.FullName, "tiny")).FullName;
        Shell.Run("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", mount);
        try
        {
            string file = Path.Combine(mount, "history.csv");
            HistoryWriter writer = new(file) { MaximumSize = long.MaxValue };
            int written = 0;
            Exception? full = null;
            while (full is null && written < 10_000)
            {
                full = Record.Exception(() => writer.Append(Make(written)));
                written += full is null ? 1 : 0;
            }

            Assert.Contains("No space left", Assert.IsType<IOException>(full).Message, StringComparison.Ordinal);
            HistoryReader reader = new(file);
            Assert.Equal(written, reader.Read(() => false).Count());
            Assert.Equal(0, reader.Damaged);
            Assert.Throws<IOException>(() => writer.Append(Make(1)));
            Shell.Run("mount", "-o", "remount,size=1M", mount);
            Assert.Equal(written + 1, writer.Append(Make(written)).Sequence);
        }
        finally
        {
            Shell.Run("umount", mount);
        }
    }

    /// <summary>A router without a battery starts in 1970, and its clock jumps when it has asked a time server.</summary>
    [Fact]
    public void A_clock_that_jumps_changes_neither_order_nor_rates()
    {
        HistoryWriter writer = new(File);
        writer.Append(Make(1, drop: 10));
        writer.Append(Make(2, drop: 30, time: DateTime.UnixEpoch));
        writer.Append(Make(3, drop: 60));
        writer.Append(Make(4, drop: 5, boot: "another"));
        ConntrackHistoryRecord[] records = Read();
        Assert.Equal([1, 2, 3, 4], records.Select(record => record.Sequence!.Value));
        Assert.Equal([null, 2d, 3d, null], records.Select(record => record.DropPerSecond));
    }

    [Fact]
    public void Counters_that_wrapped_or_started_anew()
    {
        HistoryWriter writer = new(File);
        writer.Append(Make(1, drop: uint.MaxValue));
        writer.Append(Make(2, drop: 9));
        writer.Append(Make(3, drop: 4));
        Assert.Equal([null, 1d, null], Read().Select(record => record.DropPerSecond));
    }

    [Fact]
    public void The_values_of_the_kernel_are_recorded()
    {
        using NetworkNamespaceFixture ns = new();
        ConntrackStat stat = ConntrackStat.Read(ns.Namespace);
        ConntrackHistoryRecord record = ConntrackHistory.Append(File, stat);
        ConntrackHistoryRecord read = Assert.Single(ConntrackHistory.Read(File));
        Assert.Equal(System.IO.File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim(), read.BootId);
        double uptime = double.Parse(System.IO.File.ReadAllText("/proc/uptime").Split(' ')[0], CultureInfo.InvariantCulture);
        Assert.InRange(read.Uptime!.Value, uptime - 60, uptime + 1);
        Assert.Equal((stat.Count, stat.Maximum, stat.Buckets, stat.Namespace), ((long?)read.Count, read.Maximum, read.Buckets, read.Namespace));
        Assert.Equal((stat.Found, stat.Drop, stat.ExpectationNew), (read.Found, read.Drop, read.ExpectationNew));
        Assert.Equal(record.Sequence, read.Sequence);
        Assert.Empty(ConntrackHistory.Read(File, after: DateTime.Now.AddHours(1)));
        Assert.Empty(ConntrackHistory.Read(File, before: DateTime.Now.AddHours(-1)));
        Assert.True(new HistoryRange(null, null, TimeSpan.FromHours(1)).Contains(read));
        Assert.False(new HistoryRange(null, null, TimeSpan.Zero).Contains(read));
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private string[] Names() => [.. _folder.GetFiles().Select(file => file.Name).Order(StringComparer.Ordinal)];

    private ConntrackHistoryRecord[] Read() => [.. new HistoryReader(File).Read(() => false)];

    private static ConntrackHistoryRecord Make(
        int number, ulong? drop = null, long count = 100, string? networkNamespace = null, Dictionary<string, long>? sources = null, DateTime? time = null, string boot = "boot")
    {
        CounterValues counters = new();
        counters[Counter.Drop] = drop;
        return new ConntrackHistoryRecord(counters)
        {
            Time = (time ?? Noon.AddSeconds(10 * number)).ToLocalTime(),
            BootId = boot,
            Uptime = 1000 + 10 * number,
            Count = count,
            Maximum = 1000,
            Namespace = networkNamespace,
            TopSources = sources is null ? null : new SourceCounts(sources),
        };
    }
}
