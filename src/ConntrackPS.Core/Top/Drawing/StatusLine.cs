using ConntrackPS.Top.Control;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Drawing;

/// <summary>The last line: a question, what happened, or the keys one needs first.</summary>
internal static class StatusLine
{
    private const string Hints = "q quit  h help  / filter  > sort  v group  x delete  p freeze  Enter detail";

    public static TopSpan Of(TopSnapshot snapshot, TopView view, int width) => view.Prompt switch
    {
        TextPrompt prompt => new TopSpan(KeepEnd(prompt.Label(view) + prompt.Text + "_", width), TopStyle.Prompt),
        DeleteEntryPrompt prompt => new TopSpan($"Delete {prompt.Key.Original}{ZoneOf(prompt)}? (y/n)", TopStyle.Prompt),
        DeleteManyPrompt prompt => new TopSpan($"Delete {prompt.What}? (y/n)", TopStyle.Prompt),
        _ when view.Message.Length > 0 => new TopSpan(TextWidth.Harmless(view.Message), TopStyle.Warning),
        _ when snapshot.IsInterrupted => new TopSpan("The table changed while it was read; entries may be missing.", TopStyle.Warning),
        _ when view.IsStill => new TopSpan(""),
        _ => new TopSpan(Hints, TopStyle.Faint),
    };

    private static string ZoneOf(DeleteEntryPrompt prompt) =>
        (prompt.Key.OriginalZone ?? prompt.Key.Zone) is > 0 and var zone ? $" zone {zone}" : "";

    /// <summary>Of a line that is too long, what is being typed must be seen.</summary>
    private static string KeepEnd(string text, int width)
    {
        while (TextWidth.Of(text) > width)
            text = text[1..];
        return text;
    }
}
