using System.Text.RegularExpressions;
using ConntrackPS.Top.Control;
using ConntrackPS.Top.Drawing;

namespace ConntrackPS.Tests.Top;

public sealed partial class AnsiRendererTests
{
    private static readonly TopFrame Frame = TopScreen.Draw(TopSample.Mixed(), new TopView(), 100, 24);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_lines_stand_where_they_belong(bool colour)
    {
        string[] lines = Placement().Split(AnsiRenderer.Render(Frame, colour))[1..];
        Assert.Equal(Frame.ToText(), lines.Select(line => Style().Replace(line, "").TrimEnd()));
        Assert.DoesNotContain('\n', AnsiRenderer.Render(Frame, colour));
    }

    [Fact]
    public void Without_colour_there_are_only_brightness_underlines_and_reversal()
    {
        Assert.All(Style().Matches(AnsiRenderer.Render(Frame, colour: false)), code => Assert.Contains(code.Value, (string[])["\u001b[0m", "\u001b[1m", "\u001b[2m", "\u001b[1;4m", "\u001b[7m"]));
        Assert.Contains("\u001b[32m", AnsiRenderer.Render(Frame, colour: true), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_selected_row_does_not_look_like_the_titles_above_it(bool colour)
    {
        string[] lines = Placement().Split(AnsiRenderer.Render(Frame, colour))[1..];
        int selected = Frame.Lines.FindIndex(line => line[0].Style == TopStyle.Selected);
        Assert.Equal(TopStyle.Header, Frame.Lines[selected - 1][0].Style);
        Assert.NotEqual(Style().Match(lines[selected - 1]).Value, Style().Match(lines[selected]).Value);
    }

    [GeneratedRegex("\u001b\\[[0-9]+H")]
    private static partial Regex Placement();

    [GeneratedRegex("\u001b\\[[0-9;]*m")]
    private static partial Regex Style();
}
