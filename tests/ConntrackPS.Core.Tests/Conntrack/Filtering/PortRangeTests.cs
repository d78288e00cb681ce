using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Tests.Conntrack.Filtering;

public sealed class PortRangeTests
{
    [Theory]
    [InlineData("0", 0, 0, "0")]
    [InlineData("80", 80, 80, "80")]
    [InlineData("65535", 65535, 65535, "65535")]
    [InlineData("1000-2000", 1000, 2000, "1000-2000")]
    [InlineData(" 1000 - 2000 ", 1000, 2000, "1000-2000")]
    [InlineData("80-80", 80, 80, "80")]
    [InlineData("0-65535", 0, 65535, "0-65535")]
    [InlineData("0080", 80, 80, "80")]
    public void A_port_or_a_range_is_read(string text, int first, int last, string expected)
    {
        PortRange range = PortRange.Parse(text);
        Assert.Equal((first, last), (range.First, range.Last));
        Assert.Equal(expected, range.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("-")]
    [InlineData("-80")]
    [InlineData("80-")]
    [InlineData("65536")]
    [InlineData("1-65536")]
    [InlineData("2000-1000")]
    [InlineData("1-2-3")]
    [InlineData("1,2")]
    [InlineData("1:2")]
    [InlineData("0x50")]
    [InlineData("+80")]
    [InlineData("80.0")]
    [InlineData("http")]
    [InlineData("99999999999")]
    public void Anything_else_is_refused_with_the_forms_that_are_taken(string text) =>
        AssertSaysWhatIsTaken(text, Assert.Throws<FormatException>(() => PortRange.Parse(text)));

    [Fact]
    public void Numbers_are_held_to_the_same_rules()
    {
        Assert.Equal(PortRange.Parse("80"), new PortRange(80));
        Assert.Equal(PortRange.Parse("1-2"), new PortRange(1, 2));
        AssertSaysWhatIsTaken("-1", Assert.Throws<FormatException>(() => new PortRange(-1)));
        AssertSaysWhatIsTaken("65536", Assert.Throws<FormatException>(() => new PortRange(65536)));
        AssertSaysWhatIsTaken("2-1", Assert.Throws<FormatException>(() => new PortRange(2, 1)));
        AssertSaysWhatIsTaken("-5-10", Assert.Throws<FormatException>(() => new PortRange(-5, 10)));
        AssertSaysWhatIsTaken("10-70000", Assert.Throws<FormatException>(() => new PortRange(10, 70000)));
    }

    [Fact]
    public void Null_is_an_argument_error() => Assert.Throws<ArgumentNullException>(() => PortRange.Parse(null!));

    [Theory]
    [InlineData("80", 80, true)]
    [InlineData("80", 79, false)]
    [InlineData("80", 81, false)]
    [InlineData("1000-2000", 1000, true)]
    [InlineData("1000-2000", 2000, true)]
    [InlineData("1000-2000", 999, false)]
    [InlineData("1000-2000", 2001, false)]
    [InlineData("0-65535", 65535, true)]
    public void It_contains_both_of_its_ends(string range, int port, bool expected) =>
        Assert.Equal(expected, PortRange.Parse(range).Contains((ushort)port));

    private static void AssertSaysWhatIsTaken(string text, FormatException exception)
    {
        Assert.Contains($"'{text}'", exception.Message, StringComparison.Ordinal);
        Assert.Contains("0 to 65535", exception.Message, StringComparison.Ordinal);
        Assert.Contains("1000-2000", exception.Message, StringComparison.Ordinal);
    }
}
