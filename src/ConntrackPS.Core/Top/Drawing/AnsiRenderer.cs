using System.Globalization;
using System.Text;

namespace ConntrackPS.Top.Drawing;

/// <summary>Turns a frame into the bytes of a terminal (ECMA-48), to be written at once.</summary>
internal static class AnsiRenderer
{
    private const string Escape = "\u001b[", Reset = Escape + "0m";

    /// <summary>The frame, from the upper left corner on, over whatever was there.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="colour">Whether colours may be used; without, only brightness, underlines and reversal are.</param>
    public static string Render(TopFrame frame, bool colour)
    {
        StringBuilder text = new(frame.Lines.Count * 160);
        for (int i = 0; i < frame.Lines.Count; i++)
        {
            // By place, not by line feeds, which would scroll a screen that has become smaller meanwhile. Nothing need be
            // cleared: lines are as wide as the screen.
            text.Append(CultureInfo.InvariantCulture, $"{Escape}{i + 1}H");
            foreach (TopSpan span in frame.Lines[i])
            {
                string code = CodeOf(span.Style, colour);
                if (code.Length == 0)
                    text.Append(span.Text);
                else
                    text.Append(Escape).Append(code).Append('m').Append(span.Text).Append(Reset);
            }
        }

        return text.ToString();
    }

    /// <summary>The parameters of SGR, Select Graphic Rendition.</summary>
    private static string CodeOf(TopStyle style, bool colour) => style switch
    {
        TopStyle.Plain => "",
        TopStyle.Title => "1",
        // Not reversed: the selected row may be the one below.
        TopStyle.Header => "1;4",
        TopStyle.Selected => "7",
        TopStyle.Faint => "2",
        TopStyle.Prompt => "1",
        TopStyle.Warning => colour ? "1;33" : "1",
        _ when !colour => "",
        TopStyle.Tcp => "36",
        // Dark blue and grey can't be read on every black; bright blue and faint can.
        TopStyle.Udp => "94",
        TopStyle.Icmp => "35",
        TopStyle.Opening => "33",
        TopStyle.Open => "32",
        TopStyle.Closing => "2",
        _ => "",
    };
}
