using System.Buffers;
using ConntrackPS.Conntrack;
using ConntrackPS.Events;

namespace ConntrackPS.Text.Reading;

/// <summary>Reads one line at a time, whatever kind of text it is and whatever surrounds it.</summary>
/// <remarks>A line is first read as it is. Only if that fails, or leaves words over, is a log's or a page's frame taken away: so nothing
/// that belongs to an entry is lost.</remarks>
internal sealed class LineReader
{
    /// <summary>event_cb of conntrack-tools says so after ENOBUFS, and then how to avoid it.</summary>
    private const string LossNotice = "We have hit ENOBUFS! We are losing events";

    /// <summary>What pages and people put around a line; words of an entry have none of it.</summary>
    private static readonly SearchValues<char> FrameSigns = SearchValues.Create("#`|\"'<>;,*/");

    private static readonly string[] XmlBeginnings = ["<flow", "</flow", "<conntrack", "</conntrack", "<?xml", "<!--"];

    private readonly DateTime _reference;
    private readonly ConntrackTextSource? _source;
    private readonly TextParser _parser;
    private readonly LineJoiner _joiner;
    private readonly XmlCollector _collector;
    private readonly ITextForm[] _forms;
    private readonly Action<ConntrackTextItem> _emit;
    private IMultilineForm? _unfinished;
    private long _unfinishedAt;

    /// <param name="options">How the text is read.</param>
    /// <param name="emit">Takes what is read.</param>
    public LineReader(ConntrackTextOptions options, Action<ConntrackTextItem> emit)
    {
        _source = options.Source;
        _reference = options.WrittenAt ?? options.CapturedAt ?? DateTime.Now;
        _parser = new TextParser(new TextContext(options.Labels ?? LabelNames.System, options.CapturedAt, options.AllowMasked));
        _joiner = new LineJoiner(_parser, emit) { IsLive = options.IsLive };
        _collector = new XmlCollector(_parser, emit);
        _forms = [.. AllForms().Where(form => _source is null || form.Source == _source)];
        _emit = emit;
    }

    private bool TakesConnections => _source is null or ConntrackTextSource.Conntrack;

    /// <summary>Reads the next line.</summary>
    /// <returns>False for a line that is skipped.</returns>
    public bool Read(string raw, long number)
    {
        string line = LineCleaner.Clean(raw);
        ReadOnlySpan<char> text = line.AsSpan().Trim();
        if (text.IsEmpty)
        {
            _joiner.Flush();
            return false;
        }

        if (_collector.IsOpen || (text[0] == '<' && TakesConnections && BeginsXml(text) && !text.Contains(LossNotice, StringComparison.Ordinal)))
        {
            FlushAll();
            _collector.Add(line, number, null);
            return true;
        }

        if (text[0] == '#' && LineRemark.IsRemark(text))
        {
            _joiner.Flush();
            return false;
        }

        bool continues = text[^1] == '\\';
        if (!continues && TryReadLogged(text, number))
            return true;
        string content = continues ? text[..^1].ToString() : line;
        LineJoiner.Attempt alone = new(content, number, null, TakesConnections ? _parser.ParseLine(content, null) : default) { Continues = continues };
        if (alone.Reading.Record is not null && (alone.Reading.Unknown == 0 || (alone.Reading.InFront == 0 && !text.ContainsAny(FrameSigns))))
        {
            FinishForm();
            _joiner.Add(alone);
            return true;
        }

        return ReadFramed(alone, text, continues);
    }

    /// <summary>Says that no more lines come.</summary>
    public void Complete()
    {
        FlushAll();
        _collector.Flush();
    }

    private static ITextForm[] AllForms() => [new ExpectationForm(), new StatForm(), new OpenVSwitchForm(), new SysctlForm()];

    private static bool BeginsXml(ReadOnlySpan<char> text)
    {
        foreach (string beginning in XmlBeginnings)
        {
            if (text.StartsWith(beginning, StringComparison.Ordinal))
                return true;
        }

        return false;
    }

    /// <summary>Reads a line of a log, whose first word is none of an entry. As it is, it would have more words that are not known, so it
    /// is not tried so.</summary>
    private bool TryReadLogged(ReadOnlySpan<char> text, long number)
    {
        if (char.IsAsciiLetterLower(text[0]) || text[0] == '[' || !TakesConnections || _joiner.IsOpen || !text.Contains("src=", StringComparison.Ordinal)
            || !PastedCommand.FirstWord(text).ContainsAnyExceptInRange('0', '9') || LineBeginning.Of(text) != LineKind.Other
            || !LineFrame.TryRemove(text, _reference, out ReadOnlySpan<char> content, out DateTime? time) || content[0] == '<')
            return false;
        LineReading reading = _parser.ParseLine(content, time);
        if (reading.Record is null)
            return false;
        FinishForm();
        _joiner.Add(new LineJoiner.Attempt(content.ToString(), number, time, reading));
        return true;
    }

    /// <summary>Reads a line that is no connection as it is.</summary>
    private bool ReadFramed(LineJoiner.Attempt alone, ReadOnlySpan<char> text, bool continues)
    {
        if (alone.Reading.Record is null && _joiner.TryContinue(alone))
            return true;
        bool isFramed = LineFrame.TryRemove(continues ? text[..^1] : text, _reference, out ReadOnlySpan<char> content, out DateTime? time);
        if (text.Contains(LossNotice, StringComparison.Ordinal))
        {
            FlushAll();
            _emit(LossAt(alone.Number, time));
            return true;
        }

        if (isFramed && TakesConnections)
        {
            if (content[0] == '<' && BeginsXml(content))
            {
                FlushAll();
                _collector.Add(content, alone.Number, time);
                return true;
            }

            LineJoiner.Attempt inner = alone with { Text = content.ToString(), LoggedAt = time, Reading = _parser.ParseLine(content, time) };
            if (inner.Reading.IsBetterThan(alone.Reading))
                alone = inner;
        }

        if (alone.Reading.Record is null)
        {
            foreach (ITextForm form in _forms)
            {
                if (TryRead(form, text, alone.Number, out bool isSkipped) || (isFramed && TryRead(form, content, alone.Number, out isSkipped)))
                    return !isSkipped;
            }

            LineJoiner.Attempt unquoted = alone with { Text = " " + LineFrame.WithoutQuote(continues ? text[..^1] : text).ToString() };
            if (_joiner.TryContinue(unquoted))
                return true;
            if (IsLossAdvice(text) || LineRemark.IsRemark(text))
            {
                _joiner.Flush();
                return false;
            }
        }

        FinishForm();
        _joiner.Add(alone);
        return true;
    }

    /// <summary>What conntrack prints after its notice of a loss.</summary>
    private static bool IsLossAdvice(ReadOnlySpan<char> text) =>
        text.Contains("the current netlink socket buffer size is too small", StringComparison.Ordinal)
        || text.Contains("check --buffer-size in conntrack(8)", StringComparison.Ordinal);

    private bool TryRead(ITextForm form, ReadOnlySpan<char> line, long number, out bool isSkipped)
    {
        TextMatch match = form.Read(line, out object? item, out TextFault fault);
        isSkipped = match == TextMatch.Skipped;
        if (match == TextMatch.None)
            return false;
        _joiner.Flush();
        if (form != _unfinished)
            FinishForm();
        if (match == TextMatch.Skipped && _unfinished is null && form is IMultilineForm multiline)
            (_unfinished, _unfinishedAt) = (multiline, number);
        if (match == TextMatch.Read)
            _emit(new ConntrackTextRecord(item!) { LineNumber = number });
        else if (match == TextMatch.Faulty)
            _emit(new ConntrackTextProblem(line.ToString(), fault) { LineNumber = number });
        return true;
    }

    private void FlushAll()
    {
        _joiner.Flush();
        FinishForm();
    }

    /// <summary>Returns the object of a form whose lines have ended.</summary>
    private void FinishForm()
    {
        if (_unfinished?.TryComplete(out object? item) == true)
            _emit(new ConntrackTextRecord(item!) { LineNumber = _unfinishedAt });
        _unfinished = null;
    }

    private static ConntrackTextRecord LossAt(long number, DateTime? time)
    {
        ConntrackEvent lost = new(ConntrackEventType.Lost);
        if (time is { } known)
            lost.SetEventTime(known.ToUniversalTime());
        return new ConntrackTextRecord(lost) { LineNumber = number };
    }
}
