using System.Globalization;
using ConntrackPS.Diagnosis;
using ConntrackPS.Fuzzing;
using ConntrackPS.Text;
using ConntrackPS.Text.Reading;

namespace ConntrackPS.Tests.Text;

public class StatFormTests
{
    private const string OldHeading = "entries  searched found new invalid ignore delete delete_list insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete";
    private const string Sum = """
        entries              	12
        searched             	3
        found                	4000000000
        new                  	0
        invalid              	7
        """;

    [Fact]
    public void Rows_of_proc_are_processors()
    {
        List<ConntrackCpuStat> read = [.. Read(TextSamples.Lines("stat-proc")).Cast<ConntrackCpuStat>()];
        string[][] witness = [.. TextSamples.Lines("stat-proc").Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))];

        Assert.Equal([0, 1], read.Select(stat => stat.Cpu));
        foreach (ConntrackCpuStat stat in read)
        {
            ulong Told(string column) => ulong.Parse(witness[stat.Cpu + 1][Array.IndexOf(witness[0], column)], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            Assert.Equal(
                (Told("insert"), Told("expect_create"), Told("search_restart"), Told("clashres"), Told("chainlength"), Told("icmp_error")),
                (stat.Insert, stat.ExpectationCreate, stat.SearchRestart, stat.ClashResolve, stat.ChainTooLong, stat.Error));
            Assert.Equal(["entries", "new", "ignore", "delete"], stat.Extra!.Keys);
            Assert.Equal(Told("entries").ToString(CultureInfo.InvariantCulture), stat.Extra["entries"]);
        }

        Assert.Contains(read, stat => stat.Insert == 6);
    }

    [Fact]
    public void Old_columns_are_found_by_their_names()
    {
        ConntrackCpuStat read = Assert.IsType<ConntrackCpuStat>(Assert.Single(Read(
            OldHeading, "0000000a  000000ff 00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008 00000009 0000000a 0000000b  0000000c 0000000d ffffffff")));

        Assert.Equal((1UL, 3UL, 7UL, 8UL, 9UL, 10UL, 11UL), (read.Found, read.Invalid, read.Insert, read.InsertFailed, read.Drop, read.EarlyDrop, read.Error));
        Assert.Equal((12UL, 13UL, 0xffffffffUL), (read.ExpectationNew, read.ExpectationCreate, read.ExpectationDelete));
        Assert.Equal((null, null, null), (read.SearchRestart, read.ClashResolve, read.ChainTooLong));
        Assert.Equal("255", read.Extra!["searched"]);
    }

    [Fact]
    public void A_second_heading_begins_again()
    {
        string row = string.Join(' ', Enumerable.Repeat("00000001", 16));

        Assert.Equal([0, 1, 0], Read(OldHeading, row, row, OldHeading, row).Cast<ConntrackCpuStat>().Select(stat => stat.Cpu));
    }

    [Fact]
    public void Conntrack_S_is_read()
    {
        List<ConntrackCpuStat> read = [.. Read(TextSamples.Lines("stat")).Cast<ConntrackCpuStat>()];

        Assert.Equal([0, 1], read.Select(stat => stat.Cpu));
        Assert.Equal(6UL, read[0].Insert + read[1].Insert);
        Assert.All(read, stat => Assert.Equal((0UL, 0UL, null, null), (stat.ClashResolve, stat.ChainTooLong, stat.ExpectationNew, stat.Extra)));
    }

    [Fact]
    public void Conntrack_S_of_other_versions_is_read()
    {
        ConntrackCpuStat old = Assert.IsType<ConntrackCpuStat>(Assert.Single(Read(
            "cpu=12  \tsearched=5 found=6 new=1 invalid=2 ignore=3 delete=4 delete_list=5 insert=6 insert_failed=7 drop=8 early_drop=9 error=10 search_restart=11 ")));
        ConntrackCpuStat expectations = Assert.IsType<ConntrackCpuStat>(Assert.Single(Read("cpu=0   \texpect_new=1 expect_create=2 expect_delete=3 ")));

        Assert.Equal((12, 6UL, 11UL, null, "5"), (old.Cpu, old.Found, old.SearchRestart, old.ClashResolve, old.Extra!["searched"]));
        Assert.Equal((1UL, 2UL, 3UL, null), (expectations.ExpectationNew, expectations.ExpectationCreate, expectations.ExpectationDelete, expectations.Found));
    }

    [Fact]
    public void A_counter_a_line_makes_one_object_at_the_end()
    {
        StatForm form = new();
        foreach (string line in Sum.Split('\n'))
            Assert.Equal(TextMatch.Skipped, form.Read(line.Trim(), out _, out _));

        Assert.True(form.TryComplete(out object? item));
        ConntrackStat read = Assert.IsType<ConntrackStat>(item);
        Assert.Equal((12L, 4000000000UL, 7UL), (read.Count, read.Found, read.Invalid));
        Assert.Equal((null, null, null, null), (read.Drop, read.Maximum, read.Buckets, read.FillPercent));
        Assert.Equal((null, null), (read.AverageChainLength, read.EstimatedMemoryBytes));
        Assert.Equal(new Dictionary<string, string> { ["searched"] = "3", ["new"] = "0" }, read.Extra);
        Assert.False(form.TryComplete(out _));
    }

    [Fact]
    public void The_last_counter_and_the_first_of_the_next_text_end_one()
    {
        object[] read = [.. Read([.. Sum.Split('\n'), "search_restart 5", .. Sum.Split('\n'), .. Sum.Split('\n')])];

        Assert.Equal([5UL, null], read.Cast<ConntrackStat>().Select(stat => stat.SearchRestart));
    }

    [Theory]
    [InlineData("cpu=0 of the router is busy")]
    [InlineData("cpu=0")]
    [InlineData("cpu=x found=1")]
    [InlineData("cpu=0 usage=5")]
    [InlineData("entries are counted")]
    [InlineData("entries searched found")]
    [InlineData("found 5")]
    [InlineData("00000001 00000002")]
    [InlineData("tcp      6 299 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 mark=0 use=1")]
    public void Nothing_else_is_taken_for_counters(string line) => Assert.Equal(TextMatch.None, new StatForm().Read(line, out _, out _));

    [Theory]
    [InlineData("cpu=0 found=1 invalid=x", "invalid=x")]
    [InlineData("cpu=0 found=1 found=1", "found=1")]
    [InlineData("cpu=0 found=1 invalid=-1", "invalid=-1")]
    [InlineData("cpu=0 found=1 word", "word")]
    public void Counters_that_are_no_numbers_are_refused(string line, string found)
    {
        Assert.Equal(TextMatch.Faulty, new StatForm().Read(line, out _, out TextFault fault));
        Assert.Equal(found, fault.Found);
    }

    [Fact]
    public void A_row_with_more_or_fewer_columns_is_refused()
    {
        StatForm form = new();
        form.Read(OldHeading, out _, out _);

        Assert.Equal(TextMatch.Faulty, form.Read("00000001 00000002", out _, out _));
        Assert.Equal(TextMatch.Faulty, form.Read(string.Join(' ', Enumerable.Repeat("00000001", 17)), out _, out TextFault fault));
        Assert.Equal("16 numbers, as the heading has", fault.Expected);
        Assert.Equal(TextMatch.None, form.Read("tcp 6", out _, out _));
    }

    [Fact]
    public void Mutated_lines_never_throw()
    {
        TextMutator mutator = new([.. TextSamples.Lines("stat"), .. TextSamples.Lines("stat-proc"), OldHeading, .. Sum.Split('\n')], 20261129);
        StatForm form = new();
        for (int run = 0; run < 20_000; run++)
        {
            if (mutator.Next().Trim() is { Length: > 0 } line)
                form.Read(line, out _, out _);
        }

        Assert.Equal(TextMatch.None, form.Read(new string('1', 3_000_000), out _, out _));
    }

    private static List<object> Read(params IEnumerable<string> lines)
    {
        StatForm form = new();
        List<object> read = [];
        foreach (string line in lines)
        {
            TextMatch match = form.Read(line.Trim(), out object? item, out _);
            Assert.NotEqual(TextMatch.None, match);
            Assert.NotEqual(TextMatch.Faulty, match);
            if (match == TextMatch.Read)
                read.Add(item!);
        }

        return read;
    }
}
