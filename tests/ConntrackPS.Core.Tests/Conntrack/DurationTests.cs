using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Conntrack;

public sealed class DurationTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("90", 90)]
    [InlineData(" 90s ", 90)]
    [InlineData("5m", 300)]
    [InlineData("2h4m", 7440)]
    [InlineData("1d", 86400)]
    [InlineData("1D2H3M4S", 93784)]
    [InlineData("2147483647", int.MaxValue)]
    [InlineData("00:05:00", 300)]
    [InlineData("1:02:03", 3723)]
    [InlineData("5.00:00:00", 432000)]
    public void Spans_are_read_as_people_write_them(string text, long seconds) => Assert.Equal(TimeSpan.FromSeconds(seconds), Duration.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("soon")]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData("1.5")]
    [InlineData("1,000")]
    [InlineData("5x")]
    [InlineData("m")]
    [InlineData("4m2h")]
    [InlineData("1h1h")]
    [InlineData("5m 3s")]
    [InlineData("5m3")]
    [InlineData("5:00")]
    [InlineData("24:00:00")]
    [InlineData("00:60:00")]
    [InlineData("-00:05:00")]
    [InlineData("٥m")]
    public void What_is_no_span_is_told_as_that(string text) =>
        Assert.Contains($"'{text}' is not a span of time", Assert.Throws<FormatException>(() => Duration.Parse(text)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("4294967295", "too long")]
    [InlineData("99999999999999999999999999", "too long")]
    [InlineData("99999999999999999999d99999999999999999999h", "too long")]
    [InlineData("0", "too short")]
    public void What_is_out_of_range_is_told_with_the_range(string text, string problem)
    {
        string message = Assert.Throws<FormatException>(() => Duration.Parse(text, minimum: 1)).Message;
        Assert.Contains(problem, message, StringComparison.Ordinal);
        Assert.EndsWith("from 1 second to 2147483647 seconds (24855 days).", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0.2", 200)]
    [InlineData("1.5s", 1500)]
    [InlineData("00:00:00.2000000", 200)]
    [InlineData("2", 2000)]
    [InlineData("1m", 60000)]
    public void Parts_of_a_second_are_taken_where_they_can_be_kept(string text, int milliseconds) =>
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), Duration.Parse(text, minimum: 0.1, takesFractions: true));

    [Theory]
    [InlineData("00:00:01.5000000", false, "parts of a second")]
    [InlineData("0.05", true, "too short")]
    [InlineData(".", true, "not a span")]
    [InlineData("1,5", true, "not a span")]
    [InlineData("0.2m", true, "not a span")]
    [InlineData("-0.2", true, "not a span")]
    public void Parts_of_a_second_are_refused_by_name(string text, bool takesFractions, string problem) =>
        Assert.Contains(problem, Assert.Throws<FormatException>(() => Duration.Parse(text, 0.1, takesFractions: takesFractions)).Message, StringComparison.Ordinal);

    [Fact]
    public void The_longest_span_takes_all_that_is_longer() =>
        Assert.Equal(Duration.Longest, Duration.Parse("99999999999999999999d", maximum: Duration.Longest).TotalSeconds, precision: 3);
}
