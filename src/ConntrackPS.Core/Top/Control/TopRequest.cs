using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Top.Control;

/// <summary>What a key asks of whoever runs the view: what can't be done by changing the view alone.</summary>
internal abstract record TopRequest
{
    public sealed record Quit : TopRequest;

    /// <summary>Look at the table now.</summary>
    public sealed record Refresh : TopRequest;

    /// <summary>Draw the whole screen anew.</summary>
    public sealed record Redraw : TopRequest;

    /// <summary>Read a filter that was typed.</summary>
    public sealed record SetFilter(string Text) : TopRequest;

    /// <summary>Delete one entry; it was confirmed.</summary>
    public sealed record DeleteEntry(EntryKey Key) : TopRequest;

    /// <summary>Delete the entries of a filter; it was confirmed.</summary>
    public sealed record DeleteMany(ConntrackFilter Filter, string What) : TopRequest;
}
