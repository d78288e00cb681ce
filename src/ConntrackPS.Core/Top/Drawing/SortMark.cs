using ConntrackPS.Top.Control;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Drawing;

/// <summary>The signs beside the columns that rows are sorted by: filled for the first, hollow for the second.</summary>
internal static class SortMark
{
    public static string Of(TopView view, TopColumn column)
    {
        bool isFirst = column == view.Order.Column;
        if (!isFirst && column != view.Order.Then)
            return "";
        bool isDown = TopOrder.IsDescending(column) != view.Order.IsReversed;
        return (view.HasUnicode, isFirst, isDown) switch
        {
            (true, true, true) => "▼",
            (true, true, false) => "▲",
            (true, false, true) => "▽",
            (true, false, false) => "△",
            (false, true, true) => "v",
            (false, true, false) => "^",
            _ => "'",
        };
    }
}
