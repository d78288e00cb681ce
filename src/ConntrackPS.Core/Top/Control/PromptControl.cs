using System.Globalization;

namespace ConntrackPS.Top.Control;

/// <summary>What a key does while a question waits for an answer.</summary>
internal static class PromptControl
{
    private const char CtrlG = '\u0007', CtrlU = '\u0015';

    public static (TopView View, TopRequest? Request) Press(TopView view, TopKey key)
    {
        TopView answered = view with { Prompt = null };
        if (key.Code == TopKeyCode.Escape || key == TopKey.Of(CtrlG))
            return (answered, null);
        return view.Prompt switch
        {
            TextPrompt text => PressInText(view, text, key),

            // A single letter, and no other key: what is deleted is gone.
            DeleteEntryPrompt entry => (answered, key == TopKey.Of('y') ? new TopRequest.DeleteEntry(entry.Key) : null),
            DeleteManyPrompt many => (answered, key == TopKey.Of('y') ? new TopRequest.DeleteMany(many.Filter, many.What) : null),
            _ => (answered, null),
        };
    }

    private static (TopView View, TopRequest? Request) PressInText(TopView view, TextPrompt prompt, TopKey key)
    {
        if (key.Code == TopKeyCode.Enter)
            return Accept(view with { Prompt = null }, prompt);
        string text = prompt.Text;
        if (key.Code == TopKeyCode.Backspace)
            text = text.Length == 0 ? "" : text[..^1];
        else if (key == TopKey.Of(CtrlU))
            text = "";
        else if (key.Code == TopKeyCode.Character && !char.IsControl(key.Character))
            text += key.Character;
        return (view with { Prompt = prompt with { Text = text } }, null);
    }

    private static (TopView View, TopRequest? Request) Accept(TopView view, TextPrompt prompt)
    {
        if (prompt is FilterPrompt)
            return (view, new TopRequest.SetFilter(prompt.Text.Trim()));
        if (prompt.Text.Trim().Length == 0)
            return (view, null);
        return double.TryParse(prompt.Text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds)
            && seconds is >= TopLimits.LeastInterval and <= TopLimits.MostInterval
                ? (view with { Interval = TimeSpan.FromSeconds(seconds) }, null)
                : (view with { Message = $"'{prompt.Text}' is not a time from {TopLimits.LeastInterval} to {TopLimits.MostInterval} seconds." }, null);
    }
}
