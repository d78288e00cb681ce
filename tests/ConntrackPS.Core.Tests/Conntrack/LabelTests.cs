using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack;

public sealed class LabelTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(127)]
    public void A_bit_is_where_the_kernel_keeps_it(int bit)
    {
        byte[] bytes = new byte[16];
        bytes[bit / 8] = (byte)(1 << (bit % 8));
        LabelBits labels = LabelBits.FromBytes(bytes);
        Assert.Equal([bit], labels.SetBits());
        Assert.True(labels[bit]);
        Assert.Equal(labels, default(LabelBits).With(bit));
        byte[] copy = new byte[16];
        labels.CopyTo(copy);
        Assert.Equal(bytes, copy);
    }

    [Fact]
    public void Shorter_and_longer_forms_are_read_as_far_as_they_go()
    {
        Assert.Equal([1, 9], LabelBits.FromBytes([2, 2]).SetBits());
        Assert.Equal([1], LabelBits.FromBytes([2, .. new byte[15], 255, 255]).SetBits());
        Assert.True(LabelBits.FromBytes([]).IsEmpty);
    }

    [Fact]
    public async Task The_first_file_that_is_there_counts_and_a_pipe_is_not_waited_for()
    {
        DirectoryInfo root = Directory.CreateTempSubdirectory("cps-test-root-");
        try
        {
            Directory.CreateDirectory(Path.Combine(root.FullName, "etc/xtables"));
            Assert.Empty(LabelNames.Load(root.FullName).Names);
            File.WriteAllText(Path.Combine(root.FullName, "etc/connlabel.conf"), "5 later\n# a\r6 none\n");
            Assert.Equal(["later"], LabelNames.Load(root.FullName).Names);
            File.WriteAllText(Path.Combine(root.FullName, "etc/xtables/connlabel.conf"), "5 first\r\n");
            Assert.Equal(["first"], LabelNames.Load(root.FullName).Names);
            File.Delete(Path.Combine(root.FullName, "etc/xtables/connlabel.conf"));
            Shell.Run("mkfifo", Path.Combine(root.FullName, "etc/xtables/connlabel.conf"));
            LabelNames names = await Task.Run(() => LabelNames.Load(root.FullName)).WaitAsync(TimeSpan.FromSeconds(30));
            Assert.Empty(names.Names);
        }
        finally
        {
            root.Delete(recursive: true);
        }
    }

    [Fact]
    public void Names_are_read_from_the_lines_of_a_connlabel_conf()
    {
        LabelNames names = LabelNames.Parse(
            ["# comment", "", "0\tbulk", "  5   voice-call  # trailing", "127 last word", "128 beyond", "-1 below", "x y", "9", "6 voice-call", "5 again"]);
        Assert.Equal(["bulk", "voice-call", "last"], names.Names);
        Assert.Equal("voice-call", names.ToName(5));
        Assert.Equal("6", names.ToName(6));
    }

    [Theory]
    [InlineData("bulk", 3)]
    [InlineData("0", 0)]
    [InlineData("127", 127)]
    public void A_bit_is_found_by_name_or_number(string text, int expected)
    {
        Assert.True(LabelNames.Parse(["3 bulk"]).TryGetBit(text, out int bit));
        Assert.Equal(expected, bit);
    }

    [Theory]
    [InlineData("Bulk")]
    [InlineData("128")]
    [InlineData("-1")]
    [InlineData("")]
    public void What_is_neither_is_refused(string text) => Assert.False(LabelNames.Parse(["3 bulk"]).TryGetBit(text, out _));

    [Theory]
    [InlineData(-1)]
    [InlineData(128)]
    [InlineData(200)]
    public void No_other_label_is_meant_by_a_number_that_is_none(int number)
    {
        ConntrackEntry entry = new();
        entry.MakeDetails().Labels = new LabelBits(ulong.MaxValue, ulong.MaxValue);
        Assert.Throws<ArgumentOutOfRangeException>(() => new ConntrackFilter { Label = [number] }.Matches(entry));
        Assert.Throws<ArgumentOutOfRangeException>(() => default(LabelBits).With(number));
    }
}
