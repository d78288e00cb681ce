using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;

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

/// <summary>How filters are written, for whoever is asked for one.</summary>
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
