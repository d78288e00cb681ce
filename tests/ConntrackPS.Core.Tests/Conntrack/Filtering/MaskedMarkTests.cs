using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Tests.Conntrack.Filtering;

public sealed class MaskedMarkTests
{
    [Theory]
    [InlineData("0", 0, 0xffffffff, "0x0")]
    [InlineData("7", 7, 0xffffffff, "0x7")]
    [InlineData("4294967295", 0xffffffff, 0xffffffff, "0xffffffff")]
    [InlineData("0x100", 0x100, 0xffffffff, "0x100")]
    [InlineData("0XFF", 0xff, 0xffffffff, "0xff")]
    [InlineData("0x100/0xff00", 0x100, 0xff00, "0x100/0xff00")]
    [InlineData("256/65280", 0x100, 0xff00, "0x100/0xff00")]
    [InlineData(" 1 / 0x3 ", 1, 3, "0x1/0x3")]
    [InlineData("0/0", 0, 0, "0x0/0x0")]
    [InlineData("5/0xffffffff", 5, 0xffffffff, "0x5")]
    public void A_mark_is_read_with_or_without_a_mask(string text, uint value, uint mask, string expected)
    {
        MaskedMark mark = MaskedMark.Parse(text);
        Assert.Equal((value, mask), (mark.Value, mark.Mask));
        Assert.Equal(expected, mark.ToString());
        Assert.Equal(mark, MaskedMark.Parse(expected));
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("/")]
    [InlineData("1/")]
    [InlineData("/1")]
    [InlineData("1/2/3")]
    [InlineData("0x")]
    [InlineData("0x0x1")]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData("ff")]
    [InlineData("4294967296")]
    [InlineData("0x100000000")]
    [InlineData("1.5")]
    public void Anything_else_is_refused_with_the_forms_that_are_taken(string text)
    {
        string message = Assert.Throws<FormatException>(() => MaskedMark.Parse(text)).Message;
        Assert.Contains($"'{text}'", message, StringComparison.Ordinal);
        Assert.Contains("0x100/0xff00", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0x101/0xff00")]
    [InlineData("1/0")]
    public void A_mark_that_could_never_match_is_refused_and_told_why(string text) =>
        Assert.Contains("outside its mask", Assert.Throws<FormatException>(() => MaskedMark.Parse(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void Null_is_an_argument_error() => Assert.Throws<ArgumentNullException>(() => MaskedMark.Parse(null!));

    [Theory]
    [InlineData("7", 7, true)]
    [InlineData("7", 0x107, false)]
    [InlineData("0x100/0xff00", 0x01ff, true)]
    [InlineData("0x100/0xff00", 0xffff01aa, true)]
    [InlineData("0x100/0xff00", 0x0200, false)]
    [InlineData("0/0xff", 0x100, true)]
    [InlineData("0/0", 0xffffffff, true)]
    [InlineData("0", 0, true)]
    public void It_matches_by_the_bits_under_its_mask(string mark, uint value, bool expected) =>
        Assert.Equal(expected, MaskedMark.Parse(mark).Matches(value));
}
