using ConntrackPS.Diagnosis.Grouping;
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
        return Sign(view.HasUnicode, isFirst, isDown: TopOrder.IsDescending(column) != view.Order.IsReversed);
    }

    public static string Of(TopView view, GroupOrder order) =>
        order == view.GroupOrder ? Sign(view.HasUnicode, isFirst: true, isDown: !view.IsGroupOrderReversed) : "";

    private static string Sign(bool hasUnicode, bool isFirst, bool isDown) => (hasUnicode, isFirst, isDown) switch
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
