namespace ConntrackPS.Text.Reading;

/// <summary>Puts together lines that a terminal or a mail program has wrapped.</summary>
/// <remarks>Each line is held back until the next one is known to begin an entry of its own. One that doesn't is added to it, cut
/// in the middle of a word or between two, whichever can be read.</remarks>
internal sealed class LineJoiner(TextParser parser, Action<ConntrackTextItem> emit)
{
    /// <summary>More than conntrack's own buffer for a line, and little enough that junk without end is soon given up.</summary>
    private const int MaximumLength = 8 * 1024;

    private const int MaximumWays = 8;

    private readonly List<Attempt> _ways = [];
    private Attempt? _whole;
    private Attempt? _rest;

    /// <summary>Emits events at once, since they may come live; their wrapped lines are errors then.</summary>
    public bool IsLive { get; set; }

    public void Add(string line, long number)
    {
        Attempt alone = Try(line, number);
        if (alone.Record is null && !alone.Fault.IsBegun && _ways.Count > 0 && TryContinue(line))
        {
            if (_whole is not null)
                _rest ??= alone;
            return;
        }

        Flush();
        if (alone.Record is null ? !alone.Fault.MayContinue : IsLive && alone.Record.EventType is not null)
            Emit(alone);
        else
            Hold(alone);
    }

    /// <summary>Emits what is held back.</summary>
    public void Flush()
    {
        if (_ways.Count == 0)
            return;
        Attempt best = _ways[0];
        foreach (Attempt way in _ways)
        {
            if (way.Record is null)
                continue;
            best = way;
            break;
        }

        (Attempt? whole, Attempt? rest) = (_whole, _rest);
        _ways.Clear();
        (_whole, _rest) = (null, null);
        if (best.Record is null && whole is not null && rest is not null)
        {
            // It was whole without those lines, which then are no part of it.
            Emit(whole.Value);
            Emit(rest.Value);
            return;
        }

        Emit(best);
    }

    private void Hold(Attempt attempt)
    {
        _ways.Add(attempt);
        if (attempt.Record is not null)
            _whole = attempt;
    }

    private bool TryContinue(string line)
    {
        List<Attempt> longer = [];
        foreach (Attempt way in _ways)
        {
            if (way.Text.Length + line.Length > MaximumLength)
                return false;
            if (!char.IsWhiteSpace(line[0]) && !char.IsWhiteSpace(way.Text[^1]))
                AddIfPossible(longer, way.Text + line, way.Number);
            AddIfPossible(longer, $"{way.Text.TrimEnd()} {line.TrimStart()}", way.Number);
        }

        if (longer.Count == 0)
            return false;
        _ways.Clear();
        _ways.AddRange(longer);
        return true;
    }

    private void AddIfPossible(List<Attempt> ways, string text, long number)
    {
        if (ways.Count < MaximumWays && Try(text, number) is var way && (way.Record is not null || way.Fault.MayContinue))
            ways.Add(way);
    }

    private Attempt Try(string text, long number)
    {
        _ = parser.TryParseLine(text, out ConntrackTextRecord? record, out TextFault fault);
        return new Attempt(text, number, record, fault);
    }

    private void Emit(in Attempt attempt)
    {
        ConntrackTextItem item = attempt.Record is { } record ? record : new ConntrackTextProblem(attempt.Text, attempt.Fault);
        item.LineNumber = attempt.Number;
        emit(item);
    }

    private readonly record struct Attempt(string Text, long Number, ConntrackTextRecord? Record, TextFault Fault);
}
