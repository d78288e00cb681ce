using System.Runtime.InteropServices;

namespace ConntrackPS.Text.Reading;

/// <summary>Joins lines that a terminal, a mail program, a book or a script has wrapped.</summary>
/// <remarks>Each line is held back until the next line is known to begin another entry. Otherwise the next line is added to it, with or
/// without a blank, whichever leaves fewer unknown words. A backslash at the end of a line means that the next line belongs to
/// it.</remarks>
internal sealed class LineJoiner(TextParser parser, Action<ConntrackTextItem> emit)
{
    /// <summary>The maximum length of wrapped lines together: more than conntrack's own buffer for a line, and small enough that reading endless junk stops
    /// early.</summary>
    public const int MaximumLength = 8 * 1024;

    private const int MaximumWays = 8;

    private readonly List<Attempt> _ways = [];
    private readonly List<Attempt> _rest = [];
    private Attempt? _whole;

    /// <summary>True to emit events immediately, for live input. Their wrapped lines are then errors.</summary>
    public bool IsLive { get; set; }

    /// <summary>Adds a line.</summary>
    /// <param name="line">The line, with its reading.</param>
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

    /// <summary>True after a line that ends in a backslash: the next line belongs to it in any case.</summary>
    public bool IsOpen => _ways.Count > 0 && _ways[0].Continues;

    /// <summary>True while a line is held back for the next line.</summary>
    public bool IsHolding => _ways.Count > 0;

    /// <summary>The quotation mark before the line that is held back; NUL for none.</summary>
    public char Quote => _ways.Count > 0 ? _ways[0].Quote : '\0';

    /// <summary>Emits the line that is held back.</summary>
    public void Flush()
    {
        if (_ways.Count == 0)
            return;
        if (_ways.Count == 1 && _rest.Count == 0)
        {
            // Most lines are complete. The structure is large, so it is not copied without need.
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
            // It was complete without those lines, so they are not part of it.
            Emit(whole.Value);
            foreach (Attempt line in rest)
                Emit(line);
            return;
        }

        Emit(best);
    }

    /// <summary>True for an event that ends in the name of a program, which any line would seem to continue.</summary>
    private bool IsNamed => _ways.TrueForAll(way => !way.Continues && way.Reading.Record?.Event?.Extra?.ContainsKey("progname") == true);

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

    /// <summary>Adds a line to the one that is held back, if both can be read as one.</summary>
    public bool TryContinue(in Attempt line)
    {
        if (_ways.Count == 0 || !(IsOpen || (line.Reading.Record is null && !line.Reading.Fault.IsBegun)) || IsNamed)
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

    /// <summary>Adds a way to read the lines as one. It must understand more words than without the new line and have few unknown ones, or
    /// the new line must only complete a word.</summary>
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

    /// <summary>Joined lines, with their reading.</summary>
    /// <param name="Text">The lines as one.</param>
    /// <param name="Number">The number of the first line.</param>
    /// <param name="LoggedAt">The time that a log has before the first line.</param>
    /// <param name="Reading">The reading of the joined lines.</param>
    internal readonly record struct Attempt(string Text, long Number, DateTime? LoggedAt, LineReading Reading)
    {
        public int LineCount { get; init; } = 1;

        /// <summary>The quotation mark before the first line, which may close in another one; NUL for none.</summary>
        public char Quote { get; init; }

        /// <summary>True if a backslash at the end joins the next line.</summary>
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
