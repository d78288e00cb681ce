using System.Runtime.InteropServices;

namespace ConntrackPS.Text.Reading;

/// <summary>Puts together lines that a terminal, a mail program, a book or a script has wrapped.</summary>
/// <remarks>Each line is held back until the next one is known to begin an entry of its own. One that doesn't is added to it, cut
/// in the middle of a word or between two, whichever leaves fewer words that are not known. A backslash at the end of a line says that
/// the next one belongs to it.</remarks>
internal sealed class LineJoiner(TextParser parser, Action<ConntrackTextItem> emit)
{
    /// <summary>More than conntrack's own buffer for a line, and little enough that junk without end is soon given up.</summary>
    private const int MaximumLength = 8 * 1024;

    private const int MaximumWays = 8;

    private readonly List<Attempt> _ways = [];
    private readonly List<Attempt> _rest = [];
    private Attempt? _whole;

    /// <summary>Emits events at once, since they may come live; their wrapped lines are errors then.</summary>
    public bool IsLive { get; set; }

    /// <summary>Adds a line.</summary>
    /// <param name="line">The line, and what was read of it.</param>
    public void Add(in Attempt line)
    {
        if (TryContinue(line))
            return;
        Flush();
        if (!line.Continues && (line.Reading.Record is null ? !line.Reading.Fault.MayContinue : IsLive && line.Reading.Record.Event is not null))
            Emit(line);
        else
            Hold(line);
    }

    /// <summary>True after a line that ends in a backslash: the next one belongs to it, whatever it is.</summary>
    public bool IsOpen => _ways.Count > 0 && _ways[0].Continues;

    /// <summary>True while a line is held back that the next one may belong to.</summary>
    public bool IsHolding => _ways.Count > 0;

    /// <summary>Emits what is held back.</summary>
    public void Flush()
    {
        if (_ways.Count == 0)
            return;
        if (_ways.Count == 1 && _rest.Count == 0)
        {
            // As a rule, a line is whole: it is a large structure, not copied for nothing.
            ConntrackTextItem item = CollectionsMarshal.AsSpan(_ways)[0].ToItem();
            _ways.Clear();
            _whole = null;
            emit(item);
            return;
        }

        Attempt best = Best();
        Attempt? whole = _whole;
        Attempt[] rest = [.. _rest];
        _ways.Clear();
        _rest.Clear();
        _whole = null;
        if (best.Reading.Record is null && whole is not null)
        {
            // It was whole without those lines, which then are no part of it.
            Emit(whole.Value);
            foreach (Attempt line in rest)
                Emit(line);
            return;
        }

        Emit(best);
    }

    private Attempt Best()
    {
        Attempt best = _ways[0];
        foreach (Attempt way in _ways)
        {
            if (way.Reading.IsBetterThan(best.Reading))
                best = way;
        }

        return best;
    }

    private void Hold(in Attempt attempt)
    {
        _ways.Add(attempt);
        if (attempt.Reading.Record is not null)
            _whole = attempt;
    }

    /// <summary>Adds a line to the one that is held back, if they can be read together.</summary>
    public bool TryContinue(in Attempt line)
    {
        if (_ways.Count == 0 || !(IsOpen || (line.Reading.Record is null && !line.Reading.Fault.IsBegun)))
            return false;
        List<Attempt> longer = [];
        foreach (Attempt way in _ways)
        {
            if (way.Text.Length + line.Text.Length > MaximumLength)
                return false;
            if (!way.Continues && !char.IsWhiteSpace(line.Text[0]) && !char.IsWhiteSpace(way.Text[^1]))
                AddIfPossible(longer, way, way.Text + line.Text, line);
            AddIfPossible(longer, way, $"{way.Text.TrimEnd()} {line.Text.TrimStart()}", line);
        }

        if (longer.Count == 0)
            return false;
        _ways.Clear();
        _ways.AddRange(longer);
        if (Best() is { Reading.Record: not null } whole)
        {
            _rest.Clear();
            _whole = whole;
        }
        else if (_whole is not null)
        {
            _rest.Add(line);
        }

        return true;
    }

    /// <summary>Adds a way to read the lines together: one that understands more words than without the new line and few others, or that
    /// only completes a word.</summary>
    private void AddIfPossible(List<Attempt> ways, in Attempt way, string text, in Attempt line)
    {
        if (ways.Count >= MaximumWays)
            return;
        Attempt joined = way with
        {
            Text = text,
            Reading = parser.ParseLine(text, way.LoggedAt),
            LineCount = way.LineCount + line.LineCount,
            Continues = line.Continues,
        };
        int known = joined.Reading.Known - way.Reading.Known, unknown = joined.Reading.Unknown - way.Reading.Unknown;
        bool isReadable = joined.Reading.Record is not null || joined.Reading.Fault.MayContinue;
        if (way.Continues || (isReadable && unknown <= Math.Max(known, 0)))
            ways.Add(joined);
    }

    private void Emit(in Attempt attempt) => emit(attempt.ToItem());

    /// <summary>Lines put together, and what was read of them.</summary>
    /// <param name="Text">The lines as one.</param>
    /// <param name="Number">The number of the first.</param>
    /// <param name="LoggedAt">The time that a log has before the first.</param>
    /// <param name="Reading">What was read.</param>
    internal readonly record struct Attempt(string Text, long Number, DateTime? LoggedAt, LineReading Reading)
    {
        public int LineCount { get; init; } = 1;

        /// <summary>True where a backslash at the end says that the next line belongs to it.</summary>
        public bool Continues { get; init; }

        public ConntrackTextItem ToItem()
        {
            if (Reading.Record is not { } record)
                return new ConntrackTextProblem(Text, Reading.Fault) { LineNumber = Number };
            (record.LineNumber, record.LineCount) = (Number, LineCount);
            return record;
        }
    }
}
