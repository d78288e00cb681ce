using ConntrackPS.Top.Drawing;

namespace ConntrackPS.Tests.Top;

public sealed class TextTests
{
    [Theory]
    [InlineData("", 0)]
    [InlineData("abc", 3)]
    [InlineData("日本", 4)]
    [InlineData("e\u0301", 1)]
    [InlineData("한글x", 5)]
    [InlineData("😀", 2)]
    [InlineData("é", 1)]
    public void Widths_are_those_of_a_terminal(string text, int width) => Assert.Equal(width, TextWidth.Of(text));

    [Theory]
    [InlineData("abc", 5, "abc  ")]
    [InlineData("abcdef", 4, "abc…")]
    [InlineData("日本語", 5, "日本…")]
    [InlineData("日本語", 4, "日… ")]
    [InlineData("abc", 0, "")]
    [InlineData("abc", 1, "…")]
    public void A_text_is_made_to_fit(string text, int width, string expected) => Assert.Equal(expected, TextWidth.Fit(text, width));

    [Fact]
    public void Numbers_stand_to_the_right() => Assert.Equal("  42", TextWidth.Fit("42", 4, alignRight: true));

    [Theory]
    [InlineData("host.example", "host.example")]
    [InlineData("a\u001b[31mb", "a?[31mb")]
    [InlineData("a\r\nb\tc", "a??b?c")]
    [InlineData("a\u009bb\u202ec\u2028d", "a?b?c?d")]
    public void What_would_move_the_cursor_is_taken_out(string text, string expected) => Assert.Equal(expected, TextWidth.Printable(text));

    [Theory]
    [InlineData(0, "0")]
    [InlineData(999, "999")]
    [InlineData(999.4, "999")]
    [InlineData(999.5, "1.0k")]
    [InlineData(1234, "1.2k")]
    [InlineData(99_949, "99.9k")]
    [InlineData(99_950, "100k")]
    [InlineData(999_499, "999k")]
    [InlineData(999_500, "1.0M")]
    [InlineData(1.5e12, "1.5T")]
    [InlineData(ulong.MaxValue, "18.4E")]
    public void Amounts_are_short(double amount, string expected) => Assert.Equal(expected, Amount.Short(amount));

    [Theory]
    [InlineData(0, "0 bit/s")]
    [InlineData(999, "999 bit/s")]
    [InlineData(20_040_000, "20.0 Mbit/s")]
    public void Amounts_have_their_unit(double amount, string expected) => Assert.Equal(expected, Amount.Of(amount, "bit/s"));

    [Theory]
    [InlineData(0u, "0:00:00")]
    [InlineData(59u, "0:00:59")]
    [InlineData(3661u, "1:01:01")]
    [InlineData(345_599u, "95:59:59")]
    [InlineData(345_600u, "4d 0h")]
    [InlineData(432_000u, "5d 0h")]
    [InlineData(int.MaxValue, "24855d 3h")]
    public void Times_are_short(uint seconds, string expected) => Assert.Equal(expected, Amount.Time(seconds));
}
