using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Top.Control;
using ConntrackPS.Top.Drawing;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Tests.Top;

/// <summary>The effect of keys, on a screen of 80 x 24.</summary>
public sealed class TopControlTests
{
    private int _height = 24;
    private TopSnapshot _snapshot = TopSample.Many(1000);
    private TopView _view = new() { Order = new TopOrder(TopColumn.Source) };
    private TopRequest? _request;

    [Fact]
    public void Rows_are_selected_by_arrows_and_letters()
    {
        Press("jjj");
        Assert.Equal(3, _view.Selected);
        Press("k");
        Press(TopKeyCode.Up);
        Assert.Equal(1, _view.Selected);
        Press(TopKeyCode.End);
        Assert.Equal(999, _view.Selected);
        Press(TopKeyCode.Down);
        Assert.Equal(999, _view.Selected);
        Press(TopKeyCode.PageUp);
        Assert.Equal(999 - Frame().PageSize, _view.Selected);
        Press(TopKeyCode.Home);
        Press("k");
        Assert.Equal(0, _view.Selected);
        Press("\u0004");
        Assert.Equal(Frame().PageSize, _view.Selected);
    }

    [Fact]
    public void The_selected_row_is_always_seen()
    {
        foreach (TopKeyCode key in (TopKeyCode[])[TopKeyCode.PageDown, TopKeyCode.End, TopKeyCode.Up, TopKeyCode.PageUp, TopKeyCode.Home])
        {
            Press(key);
            TopFrame frame = Frame();
            Assert.InRange(frame.Selected, frame.Offset, frame.Offset + frame.PageSize - 1);
            Assert.NotNull(frame.SelectedEntry);
        }
    }

    [Fact]
    public void A_column_after_the_other_sorts()
    {
        List<TopColumn> seen = [];
        for (int i = 0; i < 15; i++)
        {
            seen.Add(_view.Order.Column);
            Press("b");
        }

        Assert.Equal(Enum.GetValues<TopColumn>(), seen);
        Assert.Equal(TopColumn.Source, _view.Order.Column);
        Press("B");
        Assert.Equal(TopColumn.Zone, _view.Order.Column);
        Press(TopKeyCode.Right);
        Assert.Equal(TopColumn.Source, _view.Order.Column);
    }

    [Fact]
    public void Digits_sort_by_the_column_in_their_place()
    {
        IReadOnlyList<TopColumn> columns = Frame().Columns;
        Press("3");
        Assert.Equal(columns[2], _view.Order.Column);
        Press("r");
        Assert.True(_view.Order.IsReversed);
        Press("w");
        Assert.Equal(TopColumn.SourcePort, _view.Order.Then);
    }

    [Fact]
    public void Deleting_asks_about_the_row_that_was_seen()
    {
        Press("jj");
        TopEntry selected = Frame().SelectedEntry!.Value;
        Press("x");
        Assert.Equal(new DeleteEntryPrompt(selected.Key), _view.Prompt);
        Press("y");
        Assert.Equal(new TopRequest.DeleteEntry(selected.Key), _request);
        Assert.NotNull(selected.Key.Id);
        Assert.Null(_view.Prompt);
    }

    [Theory]
    [InlineData("n")]
    [InlineData("Y")]
    [InlineData("x")]
    [InlineData(" ")]
    [InlineData("q")]
    public void Nothing_but_y_deletes(string answer)
    {
        Press("x" + answer);
        Assert.Null(_request);
        Assert.Null(_view.Prompt);
    }

    [Theory]
    [InlineData((int)TopKeyCode.Enter)]
    [InlineData((int)TopKeyCode.Escape)]
    [InlineData((int)TopKeyCode.Down)]
    public void Nor_does_any_other_key(int key)
    {
        Press("X");
        Assert.NotNull(_view.Prompt);
        Press((TopKeyCode)key);
        Assert.Null(_request);
        Assert.Null(_view.Prompt);
    }

    [Fact]
    public void All_of_a_source_is_what_the_filter_shows_of_it()
    {
        ConntrackFilter shown = new() { Protocol = [IPProtocol.Tcp] };
        _snapshot.Filter = shown;
        TopEntry selected = Frame().SelectedEntry!.Value;
        Press("Xy");
        ConntrackFilter filter = Assert.IsType<TopRequest.DeleteMany>(_request).Filter;
        ConntrackEntry entry = new();
        for (int i = 0; i < _snapshot.Entries.Count; i++)
        {
            ref readonly TopEntry row = ref _snapshot.Entries[i];
            row.CopyTo(entry);
            Assert.Equal(row.Original.Source == selected.Original.Source && row.Original.Protocol == IPProtocol.Tcp, filter.Matches(entry));
        }
    }

    /// <summary>The prompt has the number of entries, with the singular for one.</summary>
    [Theory]
    [InlineData("192.0.2.1", false, "all 2 entries of source 192.0.2.1")]
    [InlineData("10.1.2.5", false, "1 entry of source 10.1.2.5")]
    [InlineData("192.0.2.1", true, "all 2 shown entries of source 192.0.2.1")]
    public void All_of_a_source_is_counted_before_it_is_asked_about(string source, bool isFiltered, string what)
    {
        _snapshot = TopSample.Mixed();
        if (isFiltered)
            _snapshot.Filter = new ConntrackFilter { Id = [100, 101, 102] };
        while (Frame().SelectedEntry is { } selected && selected.Original.Source.ToString(IPFamily.IPv4) != source)
            Press("j");
        Press("X");
        Assert.Equal(what, Assert.IsType<DeleteManyPrompt>(_view.Prompt).What);
        Assert.StartsWith($"Delete {what}? (y/n)", Frame().ToText().Last(), StringComparison.Ordinal);
    }

    [Fact]
    public void In_a_view_of_groups_the_group_is_deleted()
    {
        Press("v");
        ConntrackGroup group = Frame().SelectedGroup!;
        Press("xy");
        Assert.Equal(group.ToFilter()!.ToString(), Assert.IsType<TopRequest.DeleteMany>(_request).Filter.ToString());
    }

    [Fact]
    public void Groups_are_entered_and_left()
    {
        Press("vv");
        Assert.Equal(TopGrouping.Destination, _view.Grouping);
        Press("j");
        string name = Frame().SelectedGroup!.Name;
        Press(TopKeyCode.Enter);
        Assert.IsType<TopRequest.Refresh>(_request);
        Assert.Equal((TopGrouping.None, $"entries with destination address {name}"), (_view.Grouping, _view.Filter.Combined.ToString()));
        Press(TopKeyCode.Escape);
        Assert.Equal((TopGrouping.Destination, 1, false), (_view.Grouping, _view.Selected, _view.Filter.IsActive));
    }

    [Fact]
    public void In_a_view_of_groups_sorting_is_by_their_columns()
    {
        Press("v");
        List<GroupOrder> seen = [];
        for (int i = 0; i < GroupRows.Orders.Length; i++)
        {
            seen.Add(_view.GroupOrder);
            Press("b");
        }

        Assert.Equal(GroupRows.Orders, seen);
        Press("r2");
        Assert.Equal((true, GroupOrder.Assured), (_view.IsGroupOrderReversed, _view.GroupOrder));
        Press("vvv");
        Assert.Equal(TopGrouping.None, _view.Grouping);
    }

    [Fact]
    public void A_filter_is_typed_and_changed()
    {
        Press("/-Protocol tcx");
        Press(TopKeyCode.Backspace);
        Press("p");
        Assert.Equal(new FilterPrompt("-Protocol tcp"), _view.Prompt);
        Press(TopKeyCode.Enter);
        Assert.Equal(new TopRequest.SetFilter("-Protocol tcp"), _request);
        Press("/ab\u0015c");
        Assert.Equal(new FilterPrompt("c"), _view.Prompt);
        Press("\u0007");
        Assert.Null(_view.Prompt);
        Assert.Null(_request);
    }

    [Theory]
    [InlineData("5", 5)]
    [InlineData("0.5", 0.5)]
    [InlineData("", 1)]
    [InlineData("0", 1)]
    [InlineData("-3", 1)]
    [InlineData("soon", 1)]
    [InlineData("99999", 1)]
    public void The_pace_is_set_within_limits(string typed, double seconds)
    {
        Press("R" + typed);
        Press(TopKeyCode.Enter);
        Assert.Equal(seconds, _view.Interval.TotalSeconds);
        Assert.Equal(typed.Length > 0 && seconds == 1, _view.Message.Length > 0);
    }

    [Fact]
    public void The_pace_doubles_and_halves()
    {
        Press("--");
        Assert.Equal(4, _view.Interval.TotalSeconds);
        Press("+++++++++++");
        Assert.Equal(0.1, _view.Interval.TotalSeconds);
    }

    [Fact]
    public void Keys_switch_what_is_shown()
    {
        Press("pTCtoc");
        Assert.Equal(
            (true, true, false, false, true, false),
            (_view.IsFrozen, _view.ShowsTranslation, _view.ShowsCounters, _view.ShowsTotals, _view.HasFixedWidth, _view.HasColour));
        Press("pTCtoc");
        Assert.Equal(new TopView().HasColour, _view.HasColour);
        Assert.False(_view.IsFrozen);
    }

    [Fact]
    public void Names_leave_out_the_queries_they_make()
    {
        Press("n");
        Assert.True(_view is { ShowsNames: true, ShowsServices: true, Filter.SkipsDns: true });
        Press("n");
        Assert.True(_view is { ShowsNames: false, ShowsServices: false });
    }

    /// <summary>Services come from a file: no query is sent, and no query is hidden.</summary>
    [Fact]
    public void Services_alone_have_a_key_of_their_own()
    {
        Press("N");
        Assert.True(_view is { ShowsNames: false, ShowsServices: true, Filter.SkipsDns: false });
        Press("N");
        Assert.False(_view.ShowsServices);
    }

    [Fact]
    public void Panes_open_scroll_and_close()
    {
        _height = 12;
        Press("h");
        Press(TopKeyCode.End);
        Assert.Equal(Frame().RowCount - Frame().PageSize, _view.PaneOffset);
        Press("h");
        Assert.Equal(TopPane.None, _view.Pane);
        Press(TopKeyCode.Enter);
        Assert.Equal((TopPane.Detail, Frame().SelectedEntry is null), (_view.Pane, true));
        Press(TopKeyCode.Escape);
        Assert.Equal((TopPane.None, 0), (_view.Pane, _view.Selected));
    }

    [Fact]
    public void Quit_refresh_and_redraw_are_asked_for()
    {
        Press("q");
        Assert.IsType<TopRequest.Quit>(_request);
        Press(" ");
        Assert.IsType<TopRequest.Refresh>(_request);
        Press("\f");
        Assert.IsType<TopRequest.Redraw>(_request);
        Press(TopKeyCode.Escape);
        Assert.Null(_request);
    }

    [Fact]
    public void On_an_empty_table_no_key_does_harm()
    {
        TopSnapshot empty = TopSample.Empty();
        foreach (char key in "jkbBrwW19vxXvxvxv/\rpTCtochh?n +-" + "\u0004\u0015\u0007")
            _view = TopControl.Press(_view, TopKey.Of(key), TopScreen.Draw(empty, _view, 80, 24)).View;
        foreach (TopKeyCode key in Enum.GetValues<TopKeyCode>())
            _view = TopControl.Press(_view, new TopKey(key), TopScreen.Draw(empty, _view, 80, 24)).View;
        Assert.Equal(0, _view.Selected);
    }

    private TopFrame Frame() => TopScreen.Draw(_snapshot, _view, 80, _height);

    private void Press(string keys)
    {
        foreach (char key in keys)
            (_view, _request) = TopControl.Press(_view, TopKey.Of(key), Frame());
    }

    private void Press(TopKeyCode key) => (_view, _request) = TopControl.Press(_view, new TopKey(key), Frame());
}
