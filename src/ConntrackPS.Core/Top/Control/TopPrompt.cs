using System.Globalization;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Top.Drawing;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Control;

/// <summary>A question that waits for an answer in the last line.</summary>
internal abstract record TopPrompt;

/// <summary>A line of text is asked for.</summary>
/// <param name="Text">What was typed so far.</param>
internal abstract record TextPrompt(string Text) : TopPrompt
{
    /// <summary>What stands before it.</summary>
    public abstract string Label(TopView view);
}

/// <summary>Which entries to show, in the view's <see cref="TopView.FilterSyntax"/>.</summary>
internal sealed record FilterPrompt(string Text) : TextPrompt(Text)
{
    public override string Label(TopView view) => $"Filter ({(view.FilterSyntax is { } syntax ? $"such as {syntax.Example}; " : "")}empty for all): ";
}

/// <summary>How filters are written, told in the prompt that asks for one.</summary>
/// <param name="Name">A phrase that completes "filter, by ...".</param>
/// <param name="Example">A filter.</param>
internal sealed record FilterSyntax(string Name, string Example);

/// <summary>How long to wait between two looks at the table.</summary>
internal sealed record IntervalPrompt(string Text) : TextPrompt(Text)
{
    public override string Label(TopView view) => "Seconds between refreshes: ";
}

/// <summary>Whether to delete one entry: that which was selected when the key was pressed, whatever moves since.</summary>
/// <param name="Key">The entry.</param>
internal sealed record DeleteEntryPrompt(EntryKey Key) : TopPrompt;

/// <summary>Whether to delete all entries of a filter.</summary>
/// <param name="Filter">The filter.</param>
/// <param name="What">What they are, as a phrase that completes "Delete ...".</param>
internal sealed record DeleteManyPrompt(ConntrackFilter Filter, string What) : TopPrompt;

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

/// <summary>Asks before anything is deleted. What is asked about is fixed by what was on the screen, so that a row which
/// moves meanwhile takes no other's place.</summary>
internal static class DeleteControl
{
    /// <summary>Asks about the selected row.</summary>
    public static TopView Ask(TopView view, TopFrame frame)
    {
        if (frame.SelectedEntry is { } entry)
            return view with { Prompt = new DeleteEntryPrompt(entry.Key) };
        return frame.SelectedGroup is { } group
            ? AskForMany(view, group.ToFilter(), $"{Amount.Count(group.Count)} {(group.Count == 1 ? "entry" : "entries")} of {group.Name}")
            : view;
    }

    /// <summary>Asks about all that the view shows of the selected entry's source.</summary>
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

    /// <summary>How many of the entries that are shown have the source of one of them.</summary>
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
