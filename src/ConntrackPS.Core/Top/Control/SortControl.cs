using ConntrackPS.Top.Drawing;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Control;

/// <summary>The keys that change the order of rows.</summary>
internal static class SortControl
{
    private static readonly TopColumn[] Columns = Enum.GetValues<TopColumn>();

    /// <returns>Null for a key that is none of these.</returns>
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

    /// <summary>Another column comes first; the second one stays, as one asked for it.</summary>
    private static TopView By(TopView view, TopColumn column) => view with { Order = view.Order with { Column = column } };

    private static T Next<T>(T[] all, T present, int step)
    {
        int index = Array.IndexOf(all, present) + step;
        return all[(index + all.Length) % all.Length];
    }
}
