using System.Globalization;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Top.Drawing;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Control;

/// <summary>A prompt in the last line.</summary>
internal abstract record TopPrompt;

/// <summary>A prompt for a line of text.</summary>
/// <param name="Text">The text typed so far.</param>
internal abstract record TextPrompt(string Text) : TopPrompt
{
    /// <summary>The label before the text.</summary>
    public abstract string Label(TopView view);
}

/// <summary>Asks for the filter, in the view's <see cref="TopView.FilterSyntax"/>.</summary>
internal sealed record FilterPrompt(string Text) : TextPrompt(Text)
{
    public override string Label(TopView view) => $"Filter ({(view.FilterSyntax is { } syntax ? $"such as {syntax.Example}; " : "")}empty for all): ";
}

/// <summary>The syntax of filters, shown in the prompt for one.</summary>
/// <param name="Name">A phrase that completes "filter, by ...".</param>
/// <param name="Example">A filter.</param>
internal sealed record FilterSyntax(string Name, string Example);

/// <summary>Asks for the refresh interval.</summary>
internal sealed record IntervalPrompt(string Text) : TextPrompt(Text)
{
    public override string Label(TopView view) => "Seconds between refreshes: ";
}

/// <summary>Asks whether to delete the entry that was selected when the key was pressed, even if rows move meanwhile.</summary>
/// <param name="Key">The entry.</param>
internal sealed record DeleteEntryPrompt(EntryKey Key) : TopPrompt;

/// <summary>Asks whether to delete all entries that match a filter.</summary>
/// <param name="Filter">The filter.</param>
/// <param name="What">The description of the entries, as a phrase that completes "Delete ...".</param>
internal sealed record DeleteManyPrompt(ConntrackFilter Filter, string What) : TopPrompt;

/// <summary>Handles a key while a prompt is open.</summary>
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

            // Only the letter y deletes: a deletion can't be undone.
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

/// <summary>Asks before a deletion. The prompt refers to what was on the screen, so that a row that moves meanwhile does not change the
/// target.</summary>
internal static class DeleteControl
{
    /// <summary>Asks whether to delete the selected row.</summary>
    public static TopView Ask(TopView view, TopFrame frame)
    {
        if (frame.SelectedEntry is { } entry)
            return view with { Prompt = new DeleteEntryPrompt(entry.Key) };
        return frame.SelectedGroup is { } group
            ? AskForMany(view, group.ToFilter(), $"{Amount.Count(group.Count)} {(group.Count == 1 ? "entry" : "entries")} of {group.Name}")
            : view;
    }

    /// <summary>Asks whether to delete all shown entries of the selected entry's source.</summary>
    public static TopView AskForSource(TopView view, TopFrame frame)
    {
        if (frame.SelectedEntry is not { } entry)
            return view.Grouping == TopGrouping.Source ? Ask(view, frame) : view;
        GroupContext context = new(32, 128);
        GroupKey source = new(
            [GroupProperties.Named("SourceAddress")], [context.Address(entry.Original.Family, entry.Original.Source)], context, frame.Filter);
        int count = CountOfSource(frame, entry);
        string shown = frame.Filter.IsEmpty ? "" : "shown ";
        return AskForMany(
            view, source.ToFilter(), count == 1 ? $"1 {shown}entry of source {source}" : $"all {Amount.Count(count)} {shown}entries of source {source}");
    }

    /// <summary>The number of shown entries with the same source.</summary>
    private static int CountOfSource(TopFrame frame, in TopEntry entry)
    {
        int count = 0;
        for (int i = 0; i < frame.Entries?.Count; i++)
        {
            ref readonly TopEntry other = ref frame.Entries[i];
            if (other.Original.Family == entry.Original.Family && other.Original.Source == entry.Original.Source)
                count++;
        }

        return count;
    }

    private static TopView AskForMany(TopView view, ConntrackFilter? filter, string what) =>
        filter is { NamesEntries: true }
            ? view with { Prompt = new DeleteManyPrompt(filter, what) }
            : view with { Message = "This group matches every entry. Nothing was deleted." };
}
