using System.Globalization;
using System.Text;

namespace ConntrackPS.Reporting;

/// <summary>Text of a page. Names come from other machines and from files, so no character of them may become markup, or change the
/// direction or the lines of the text around.</summary>
internal static class HtmlText
{
    /// <summary>The longest text of one place. Longer ones are cut, so that the page stays small.</summary>
    private const int Longest = 2000;

    /// <summary>The text for an element or an attribute in quotation marks.</summary>
    public static string Escape(string text)
    {
        StringBuilder result = new(text.Length + 16);
        foreach (Rune rune in (text.Length > Longest ? text[..Longest] + "…" : text).EnumerateRunes())
        {
            switch (rune.Value)
            {
                case '&': result.Append("&amp;"); break;
                case '<': result.Append("&lt;"); break;
                case '>': result.Append("&gt;"); break;
                case '"': result.Append("&quot;"); break;
                case '\'': result.Append("&#39;"); break;
                default:
                    if (IsHidden(rune))
                        result.Append(CultureInfo.InvariantCulture, $"\u27e8U+{rune.Value:X4}\u27e9");
                    else
                        result.Append(rune.ToString());
                    break;
            }
        }

        return result.ToString();
    }

    /// <summary>True for characters that are not seen but do something: line ends, control characters, and those that change the direction
    /// of the text.</summary>
    private static bool IsHidden(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned;
}
