using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Top.Drawing;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Control;

/// <summary>Handles a key: a function of the view and of the frame that was visible when the key was pressed.</summary>
internal static class TopControl
{
    private const char CtrlD = '\u0004', CtrlG = '\u0007', CtrlL = '\f', CtrlU = '\u0015';

    /// <returns>The new view, and a further request to the program.</returns>
    public static (TopView View, TopRequest? Request) Press(TopView view, TopKey key, TopFrame frame)
    {
        // A resize or a shorter table may have moved the selected row to where the frame shows it.
        view = view with { Selected = frame.Selected, Offset = frame.Offset, Message = "" };
        if (view.Prompt is not null)
            return PromptControl.Press(view, key);
        if (Moves(view, key, frame) is { } moved)
            return (moved, null);
        if (key.Code != TopKeyCode.Character && key.Code is not (TopKeyCode.Left or TopKeyCode.Right))
            return PressNamed(view, key.Code, frame);
        if (SortControl.Press(view, key, frame) is { } sorted)
            return (sorted, null);
        return PressCharacter(view, key.Character, frame);
    }

    private static TopView? Moves(TopView view, TopKey key, TopFrame frame)
    {
        int page = Math.Max(1, frame.PageSize);
        int? by = key switch
        {
            { Code: TopKeyCode.Up } or { Code: TopKeyCode.Character, Character: 'k' } => -1,
            { Code: TopKeyCode.Down } or { Code: TopKeyCode.Character, Character: 'j' } => 1,
            { Code: TopKeyCode.PageUp } or { Code: TopKeyCode.Character, Character: CtrlU } => -page,
            { Code: TopKeyCode.PageDown } or { Code: TopKeyCode.Character, Character: CtrlD } => page,
            { Code: TopKeyCode.Home } => -frame.RowCount,
            { Code: TopKeyCode.End } => frame.RowCount,
            _ => null,
        };
        if (by is not { } steps)
            return null;
        if (view.Pane != TopPane.None)
            return view with { PaneOffset = Math.Clamp(view.PaneOffset + steps, 0, Math.Max(0, frame.RowCount - page)) };
        return view with { Selected = Math.Clamp(view.Selected + steps, 0, Math.Max(0, frame.RowCount - 1)) };
    }

    private static (TopView View, TopRequest? Request) PressNamed(TopView view, TopKeyCode code, TopFrame frame) => code switch
    {
        TopKeyCode.Enter => (Enter(view, frame), view.Pane == TopPane.None ? new TopRequest.Refresh() : null),
        TopKeyCode.Escape => Escape(view),
        TopKeyCode.Delete => (DeleteControl.Ask(view, frame), null),
        _ => (view, null),
    };

    private static (TopView View, TopRequest? Request) PressCharacter(TopView view, char character, TopFrame frame) => character switch
    {
        'q' => (view, new TopRequest.Quit()),
        'h' or '?' => (Toggle(view, TopPane.Help), null),
        'g' => (Toggle(view, TopPane.Plot), null),
        ' ' => (view, new TopRequest.Refresh()),
        CtrlL => (view, new TopRequest.Redraw()),
        CtrlG => Escape(view),
        '/' => (view with { Prompt = new FilterPrompt(view.Filter.Text) }, null),
        'R' => (view with { Prompt = new IntervalPrompt("") }, null),
        '+' => (Faster(view), null),
        '-' => (Slower(view), null),
        'i' => (view with { Filter = view.Filter with { IsInverted = !view.Filter.IsInverted } }, new TopRequest.Refresh()),
        'f' => (view with { Filter = view.Filter with { SkipsLoopback = !view.Filter.SkipsLoopback } }, new TopRequest.Refresh()),
        'L' => (view with { Filter = view.Filter with { SkipsDns = !view.Filter.SkipsDns } }, new TopRequest.Refresh()),
        'v' => (NextGrouping(view), null),
        'x' => (DeleteControl.Ask(view, frame), null),
        'X' => (DeleteControl.AskForSource(view, frame), null),
        'p' => (view with { IsFrozen = !view.IsFrozen }, null),
        'n' or 'l' => SwitchNames(view),
        'N' => (view with { ShowsServices = !view.ShowsServices }, null),
        'T' => (view with { ShowsTranslation = !view.ShowsTranslation }, null),
        'C' => (view with { ShowsCounters = !view.ShowsCounters }, null),
        't' => (view with { ShowsTotals = !view.ShowsTotals }, null),
        'o' => (view with { HasFixedWidth = !view.HasFixedWidth }, null),
        'c' => (view with { HasColour = !view.HasColour }, null),
        _ => (view, null),
    };

    private static TopView Toggle(TopView view, TopPane pane) =>
        view with { Pane = view.Pane == pane ? TopPane.None : pane, PaneOffset = 0 };

    /// <summary>Opens the selected row: an entry's properties, or a group's entries.</summary>
    private static TopView Enter(TopView view, TopFrame frame)
    {
        if (view.Pane != TopPane.None)
            return Toggle(view, view.Pane);
        if (frame.SelectedGroup is { } group && group.ToFilter() is { } filter)
        {
            TopFilter inside = view.Filter with { Asked = filter, Text = "", IsInverted = false, SkipsDns = false, SkipsLoopback = false };
            return view with { Filter = inside, Outer = view, Grouping = TopGrouping.None, Selected = 0, Offset = 0 };
        }

        return frame.SelectedEntry is { } entry
            ? view with { Pane = TopPane.Detail, PaneOffset = 0, Detail = [], DetailOf = entry.Key }
            : view;
    }

    /// <summary>Closes what was opened last.</summary>
    private static (TopView View, TopRequest? Request) Escape(TopView view)
    {
        if (view.Pane != TopPane.None)
            return (Toggle(view, view.Pane), null);
        if (view.Outer is not { } outer)
            return (view, null);
        TopView back = view with { Filter = outer.Filter, Grouping = outer.Grouping, Selected = outer.Selected, Offset = outer.Offset, Outer = outer.Outer };
        return (back, new TopRequest.Refresh());
    }

    private static TopView NextGrouping(TopView view) => view with
    {
        Grouping = view.Grouping == TopGrouping.Port ? TopGrouping.None : view.Grouping + 1,
        Pane = TopPane.None,
        Selected = 0,
        Offset = 0,
    };

    /// <summary>Name lookups send DNS queries, which would appear as entries. They are hidden from then on.</summary>
    private static (TopView View, TopRequest? Request) SwitchNames(TopView view)
    {
        if (view.ShowsNames)
            return (view with { ShowsNames = false, ShowsServices = false }, null);
        return (view with { ShowsNames = true, ShowsServices = true, Filter = view.Filter with { SkipsDns = true } }, new TopRequest.Refresh());
    }

    private static TopView Faster(TopView view) =>
        view with { Interval = TimeSpan.FromSeconds(Math.Max(TopLimits.LeastInterval, view.Interval.TotalSeconds / 2)) };

    private static TopView Slower(TopView view) =>
        view with { Interval = TimeSpan.FromSeconds(Math.Min(TopLimits.MostInterval, view.Interval.TotalSeconds * 2)) };
}

/// <summary>The keys that change the sort order.</summary>
internal static class SortControl
{
    private static readonly TopColumn[] Columns = Enum.GetValues<TopColumn>();

    /// <returns>Null for any other key.</returns>
    public static TopView? Press(TopView view, TopKey key, TopFrame frame)
    {
        if (key.Code is TopKeyCode.Right or TopKeyCode.Left)
            return Step(view, key.Code == TopKeyCode.Right ? 1 : -1);
        return key.Character switch
        {
            'b' or '>' => Step(view, 1),
            'B' or '<' => Step(view, -1),
            'r' => Reverse(view),
            'w' => view with { Order = view.Order with { Then = Next(Columns, view.Order.Then, 1) } },
            'W' => view with { Order = view.Order with { Then = Next(Columns, view.Order.Then, -1) } },
            >= '1' and <= '9' => ByPlace(view, frame, key.Character - '1'),
            _ => null,
        };
    }

    private static TopView Step(TopView view, int step) => view.Grouping == TopGrouping.None
        ? By(view, Next(Columns, view.Order.Column, step))
        : view with { GroupOrder = Next(GroupRows.Orders, view.GroupOrder, step) };

    private static TopView Reverse(TopView view) => view.Grouping == TopGrouping.None
        ? view with { Order = view.Order with { IsReversed = !view.Order.IsReversed } }
        : view with { IsGroupOrderReversed = !view.IsGroupOrderReversed };

    private static TopView ByPlace(TopView view, TopFrame frame, int place)
    {
        if (view.Grouping != TopGrouping.None)
            return place < GroupRows.Orders.Length ? view with { GroupOrder = GroupRows.Orders[place] } : view;
        return place < frame.Columns.Count ? By(view, frame.Columns[place]) : view;
    }

    /// <summary>Changes the first sort column. The second one stays, because the user chose it.</summary>
    private static TopView By(TopView view, TopColumn column) => view with { Order = view.Order with { Column = column } };

    private static T Next<T>(T[] all, T present, int step)
    {
        int index = Array.IndexOf(all, present) + step;
        return all[(index + all.Length) % all.Length];
    }
}

/// <summary>The keys that are not characters.</summary>
internal enum TopKeyCode
{
    Character,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
    Backspace,
    Delete,
    Other,
}

/// <summary>A key that was pressed.</summary>
/// <param name="Code">The key.</param>
/// <param name="Character">The character, or a control character, for <see cref="TopKeyCode.Character"/>.</param>
internal readonly record struct TopKey(TopKeyCode Code, char Character = '\0')
{
    public static TopKey Of(char character) => new(TopKeyCode.Character, character);
}

/// <summary>A request of a key to the program that runs the view, in addition to the new view.</summary>
internal abstract record TopRequest
{
    public sealed record Quit : TopRequest;

    /// <summary>Read the table now.</summary>
    public sealed record Refresh : TopRequest;

    /// <summary>Redraw the whole screen.</summary>
    public sealed record Redraw : TopRequest;

    /// <summary>Parse the filter that the user typed.</summary>
    public sealed record SetFilter(string Text) : TopRequest;

    /// <summary>Delete one entry. The user has confirmed it.</summary>
    public sealed record DeleteEntry(EntryKey Key) : TopRequest;

    /// <summary>Delete the entries that match a filter. The user has confirmed it.</summary>
    public sealed record DeleteMany(ConntrackFilter Filter, string What) : TopRequest;
}
