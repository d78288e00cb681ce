using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Top.Drawing;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Control;

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
            ? AskForMany(view, group.ToFilter(), $"{Amount.Count(group.Count)} entries of {group.Name}")
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
        return AskForMany(view, source.ToFilter(), $"all {(frame.Filter.IsEmpty ? "" : "shown ")}entries of source {source}");
    }

    private static TopView AskForMany(TopView view, ConntrackFilter? filter, string what) =>
        filter is { NamesEntries: true }
            ? view with { Prompt = new DeleteManyPrompt(filter, what) }
            : view with { Message = "That names no entries, and is not deleted." };
}
