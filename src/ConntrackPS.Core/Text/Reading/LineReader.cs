using System.Buffers;
using ConntrackPS.Conntrack;
using ConntrackPS.Events;

namespace ConntrackPS.Text.Reading;

/// <summary>Reads lines of any kind of text, with any surrounding text.</summary>
/// <remarks>A line is first read as it is. The frame of a log or page is removed only if that fails or leaves unknown words. So no part of
/// an entry is lost.</remarks>
internal sealed class LineReader
{
    /// <summary>Characters that pages and authors put around a line. Words of an entry contain none of them.</summary>
    private static readonly SearchValues<char> FrameSigns = SearchValues.Create("#`|\"'<>;,*/");

    private static readonly string[] XmlBeginnings = ["<flow", "</flow", "<conntrack", "</conntrack", "<?xml", "<!--"];

    private const string JournalMessage = "MESSAGE=";
    private const string JsonMessage = "\"MESSAGE\"";
    private const string JournalTime = "__REALTIME_TIMESTAMP";

    private readonly DateTime _reference;
    private readonly ConntrackTextSource? _source;
    private readonly TextParser _parser;
    private readonly LineJoiner _joiner;
    private readonly XmlCollector _collector;
    private readonly ITextForm[] _forms;
    private readonly Action<ConntrackTextItem> _emit;
    private IMultilineForm? _unfinished;
    private long _unfinishedAt;
    private bool _wasFramed;
    private DateTime? _recordTime;
    private readonly bool _isLive;
    private OpenText? _open;

    /// <param name="options">The options for reading.</param>
    /// <param name="emit">Receives each item.</param>
    public LineReader(ConntrackTextOptions options, Action<ConntrackTextItem> emit)
    {
        _source = options.Source;
        _reference = options.WrittenAt ?? options.CapturedAt ?? DateTime.Now;
        _parser = new TextParser(new TextContext(options.Labels ?? LabelNames.System, options.CapturedAt, options.AllowMasked));
        _joiner = new LineJoiner(_parser, emit) { IsLive = options.IsLive };
        _forms = [.. AllForms().Where(form => _source is null || form.Source == _source)];
        _collector = new XmlCollector(TakesConnections ? _parser : null, _forms.OfType<ExpectationForm>().FirstOrDefault(), emit) { IsLive = options.IsLive };
        _emit = emit;
        _isLive = options.IsLive;
    }

    private bool TakesXml => _source is null or ConntrackTextSource.Conntrack or ConntrackTextSource.Expectation;

    private bool TakesConnections => _source is null or ConntrackTextSource.Conntrack;

    /// <summary>Reads the next line.</summary>
    /// <returns>False for a skipped line.</returns>
    public bool Read(string raw, long number)
    {
        string line = LineCleaner.Clean(raw);
        ReadOnlySpan<char> text = line.AsSpan().Trim();
        if (_collector.IsWaiting && _collector.TryAddProgram(text))
            return true;
        if (text.IsEmpty)
        {
            _joiner.Flush();
            CloseOpen();
            _recordTime = null;
            return false;
        }

        if (_collector.IsOpen || (text[0] == '<' && TakesXml && BeginsXml(text) && !text.Contains(EventText.Loss, StringComparison.Ordinal)))
        {
            FlushAll();
            _collector.Add(line, number, null);
            return true;
        }

        if (_open is not null && TryAddToOpen(text, number))
            return true;
        // A record of journalctl -o json-pretty begins or ends.
        if (text[0] is '{' or '}' && text.Length <= 2)
            _recordTime = null;
        bool continues = text[^1] == '\\';
        if (text[0] == '#' && !(_joiner.IsHolding && TryContinueFramed(text, number, continues, out _)) && LineRemark.IsRemark(text))
        {
            _joiner.Flush();
            return false;
        }

        return ReadLine(line, text, number, continues);
    }

    private bool ReadLine(string line, ReadOnlySpan<char> text, long number, bool continues)
    {
        if (_wasFramed && !continues && TryReadFramedFirst(text, number))
            return true;
        string content = continues ? text[..^1].ToString() : line;
        LineJoiner.Attempt alone = new(content, number, null, TakesConnections ? _parser.ParseLine(content, null) : OfAnotherKind(content)) { Continues = continues };
        if (alone.Reading.Record is not null && alone.Reading.Unknown == 0)
            return Add(alone);
        if (TakesConnections && LineBeginning.SecondEntry(text) is > 0 and var second)
            return ReadParts(text, second, number, null);
        if (alone.Reading.Record is not null && alone.Reading.InFront == 0 && !text.ContainsAny(FrameSigns))
            return Add(alone);
        return ReadFramed(alone, text, continues);
    }

    /// <summary>Reads a line of a log, most of whose lines have the same frame, without looking at it as it is.</summary>
    private bool TryReadFramedFirst(ReadOnlySpan<char> text, long number)
    {
        FramedLine framed = LineFrame.Remove(text, _reference);
        if (!framed.IsFound || (framed.Content[0] == '<' && BeginsXml(framed.Content)))
            return _wasFramed = false;
        LineReading reading = _parser.ParseLine(framed.Content, framed.Time ?? TimeOfRecord(text));
        return reading.Record is not null && reading.Unknown == 0
            && Add(new LineJoiner.Attempt(framed.Content.ToString(), number, framed.Time ?? TimeOfRecord(text), reading) { Quote = framed.Quote });
    }

    private bool Add(in LineJoiner.Attempt attempt)
    {
        FinishForm();
        _joiner.Add(attempt);
        return true;
    }

    /// <summary>Reads several entries of one line, or one and conntrack's total.</summary>
    private bool ReadParts(ReadOnlySpan<char> text, int second, long number, DateTime? time)
    {
        while (true)
        {
            ReadOnlySpan<char> part = second > 0 ? text[..second].Trim() : text;
            LineReading reading = _parser.ParseLine(part, time);
            if (reading.Record is not null || !LineRemark.IsRemark(part))
                Add(new LineJoiner.Attempt(part.ToString(), number, time, reading));
            if (second == 0)
                return true;
            text = text[second..];
            second = LineBeginning.SecondEntry(text);
        }
    }

    /// <summary>Adds a line without its marks of quotes, of comments and of logs to the one before it.</summary>
    /// <param name="text">The line.</param>
    /// <param name="number">Its number.</param>
    /// <param name="continues">True if a backslash ends it.</param>
    /// <param name="isEmpty">True if nothing follows the marks.</param>
    private bool TryContinueFramed(ReadOnlySpan<char> text, long number, bool continues, out bool isEmpty)
    {
        ReadOnlySpan<char> line = (continues ? text[..^1] : text).TrimEnd();
        ReadOnlySpan<char> rest = LineFrame.ContinuationOf(line, _reference, _joiner.Quote);
        isEmpty = rest.IsEmpty;
        if (rest.Length == line.Length || isEmpty || !TakesConnections)
            return false;
        string content = " " + rest.ToString();
        return _joiner.TryContinue(new LineJoiner.Attempt(content, number, null, _parser.ParseLine(content, null)) { Continues = continues });
    }

    /// <summary>The time of the journal's record that the line is the message of.</summary>
    private DateTime? TimeOfRecord(ReadOnlySpan<char> text) => text.StartsWith(JournalMessage, StringComparison.Ordinal) || text.StartsWith(JsonMessage, StringComparison.Ordinal) ? _recordTime : null;

    /// <summary>Notes the time of a record of journalctl -o export, -o verbose or -o json-pretty, whose message comes in another line.</summary>
    private void NoteRecordTime(ReadOnlySpan<char> text, in FramedLine framed)
    {
        if (text.IndexOf(JournalTime, StringComparison.Ordinal) is >= 0 and < 2 and var at)
        {
            ReadOnlySpan<char> value = text[(at + JournalTime.Length)..].Trim(" \"=:,");
            _recordTime = LogTime.Read(value, _reference, out DateTime? time) == value.Length ? time : null;
        }
        else if (text.EndsWith("]", StringComparison.Ordinal) && text.Contains(" [s=", StringComparison.Ordinal))
        {
            _recordTime = framed.Time;
        }
    }

    /// <summary>Marks the end of the text.</summary>
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

    /// <summary>The reason to refuse a line if connections were not asked for.</summary>
    private LineReading OfAnotherKind(string content)
    {
        string expected = _source switch
        {
            ConntrackTextSource.Expectation => "an expectation",
            ConntrackTextSource.Stat => "counters of conntrack -S or /proc/net/stat/nf_conntrack",
            ConntrackTextSource.OpenVSwitch => "a connection of ovs-appctl dpctl/dump-conntrack",
            _ => "a setting of conntrack, as sysctl prints it",
        };
        int start = content.AsSpan().IndexOfAnyExcept(' ', '\t');
        string word = content[start..];
        int end = word.AsSpan().IndexOfAny(' ', '\t');
        return new LineReading(null, new TextFault(end < 0 ? word : word[..end], start + 1, expected, IsBegun: false, IsAtEnd: false), 0, 0, 0);
    }

    /// <summary>Reads an unchanged line that does not describe a connection.</summary>
    private bool ReadFramed(LineJoiner.Attempt alone, ReadOnlySpan<char> text, bool continues)
    {
        if (LineRemark.IsField(text))
        {
            NoteRecordTime(text, default);
            return Skip();
        }

        if (alone.Reading.Record is null && _joiner.IsHolding)
        {
            if (TryContinueFramed(text, alone.Number, continues, out bool isEmpty))
                return true;
            if (!isEmpty && _joiner.TryContinue(alone))
                return true;
        }

        FramedLine framed = LineFrame.Remove(continues ? text[..^1] : text, _reference);
        NoteRecordTime(text, framed);
        if (text.Contains(EventText.Loss, StringComparison.Ordinal))
        {
            FlushAll();
            _emit(LossAt(alone.Number, framed.Time));
            return true;
        }

        if (framed.IsFound && TakesXml && framed.Content[0] == '<' && BeginsXml(framed.Content))
        {
            FlushAll();
            _collector.Add(framed.Content, alone.Number, framed.Time);
            return true;
        }

        if (framed.IsFound && TakesConnections)
        {
            DateTime? time = framed.Time ?? TimeOfRecord(text);
            LineJoiner.Attempt inner = alone with
            {
                Text = framed.Content.ToString(),
                LoggedAt = time,
                Quote = framed.Quote,
                Reading = _parser.ParseLine(framed.Content, time),
            };
            if ((inner.Reading.Record is null || inner.Reading.Unknown > 0) && LineBeginning.SecondEntry(framed.Content) is > 0 and var second)
                return ReadParts(framed.Content, second, alone.Number, time);
            if (IsBetter(inner.Reading, alone.Reading))
                alone = inner;
            _wasFramed = alone.Reading.Record is not null && alone.Reading.Unknown == 0;
        }

        if (alone.Reading.Record is null)
        {
            foreach (ITextForm form in _forms)
            {
                if (TryRead(form, (continues ? text[..^1] : text).TrimEnd(), alone.Number, continues, out bool isSkipped))
                    return !isSkipped;

                // A setting in a comment is not in force.
                if (framed.IsFound && framed.IsComment && form is SysctlForm && form.Read(framed.Content, out _, out _) != TextMatch.None)
                    return Skip();
                if (framed.IsFound && TryRead(form, framed.Content, alone.Number, continues, out isSkipped))
                    return !isSkipped;
            }

            if (IsLossAdvice(text) || LineRemark.IsRemark(text) || LineRemark.IsOfOthers(text, framed))
                return Skip();
        }

        return Add(alone);
    }

    private bool Skip()
    {
        _joiner.Flush();
        return false;
    }

    private static bool IsBetter(in LineReading inner, in LineReading alone) =>
        inner.IsBetterThan(alone) || (inner.Record is null && alone.Record is null && inner.Fault.IsBegun && inner.InFront < alone.InFront);

    /// <summary>The advice that conntrack prints after its report of a loss.</summary>
    private static bool IsLossAdvice(ReadOnlySpan<char> text) =>
        text.Contains("the current netlink socket buffer size is too small", StringComparison.Ordinal)
        || text.Contains("check --buffer-size in conntrack(8)", StringComparison.Ordinal);

    /// <summary>Adds a line to an object of another form that may be wrapped.</summary>
    private bool TryAddToOpen(ReadOnlySpan<char> text, long number)
    {
        bool continues = text[^1] == '\\';
        ReadOnlySpan<char> line = (continues ? text[..^1] : text).TrimEnd();
        string? longer = _open!.Value.Form is OpenVSwitchForm ? JoinOpenVSwitch(_open.Value, line) : JoinExpectation(_open.Value, line);
        if (longer is null || longer.Length > LineJoiner.MaximumLength)
        {
            CloseOpen();
            return false;
        }

        _open = _open.Value with { Text = longer, LineCount = (int)(number - _open.Value.Number) + 1, Continues = continues };
        if (!continues && _open.Value.Form is OpenVSwitchForm && !OpenVSwitchForm.GoesOn(longer))
            CloseOpen();
        return true;
    }

    private static string? JoinOpenVSwitch(in OpenText open, ReadOnlySpan<char> line)
    {
        ReadOnlySpan<char> part = LineFrame.WithoutQuote(line);
        return open.Continues || OpenVSwitchForm.IsPart(part) ? open.Text + part.ToString() : null;
    }

    /// <summary>Cut between two words or, failing that, in one.</summary>
    private string? JoinExpectation(in OpenText open, ReadOnlySpan<char> line)
    {
        ReadOnlySpan<char> part = LineFrame.ContinuationOf(line, _reference, '\0');
        if (open.Continues || LineBeginning.BeginsField(part))
            return $"{open.Text} {part}";
        if (LineBeginning.Of(line) != LineKind.Other)
            return null;
        TextMatch before = open.Form.Read(open.Text, out _, out _);
        int unknown = open.Form.UnknownWords.Count;
        string glued = open.Text + line.ToString();
        TextMatch after = open.Form.Read(glued, out _, out TextFault fault);
        return before == TextMatch.Faulty && (after == TextMatch.Read || fault.MayContinue) && open.Form.UnknownWords.Count <= unknown ? glued : null;
    }

    private void CloseOpen()
    {
        if (_open is not { } open)
            return;
        _open = null;
        if (open.Form.Read(open.Text, out object? item, out TextFault fault) == TextMatch.Read)
            _emit(new ConntrackTextRecord(item!) { LineNumber = open.Number, LineCount = open.LineCount, UnknownWords = [.. open.Form.UnknownWords] });
        else
            _emit(new ConntrackTextProblem(open.Text, fault) { LineNumber = open.Number });
    }

    private bool TryRead(ITextForm form, ReadOnlySpan<char> line, long number, bool continues, out bool isSkipped)
    {
        TextMatch match = form.Read(line, out object? item, out TextFault fault);
        isSkipped = match == TextMatch.Skipped;
        if (match == TextMatch.None)
            return false;
        _joiner.Flush();
        if (form != _unfinished)
            FinishForm();
        bool mayGoOn = form is OpenVSwitchForm ? continues || OpenVSwitchForm.GoesOn(line) : form is ExpectationForm && line[0] != '<' && (continues || !_isLive);
        if (mayGoOn)
        {
            _open = new OpenText(form, line.ToString(), number) { Continues = continues };
            return true;
        }

        if (match == TextMatch.Skipped && _unfinished is null && form is IMultilineForm multiline)
            (_unfinished, _unfinishedAt) = (multiline, number);
        if (match == TextMatch.Read)
            _emit(new ConntrackTextRecord(item!) { LineNumber = number, UnknownWords = [.. form.UnknownWords] });
        else if (match == TextMatch.Faulty)
            _emit(new ConntrackTextProblem(line.ToString(), fault) { LineNumber = number });
        return true;
    }

    private void FlushAll()
    {
        CloseOpen();
        _joiner.Flush();
        FinishForm();
    }

    /// <summary>Returns the object of a form of several lines, after its last line.</summary>
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

    /// <summary>An object of another form than connections, which the next line may belong to.</summary>
    private readonly record struct OpenText(ITextForm Form, string Text, long Number)
    {
        public int LineCount { get; init; } = 1;

        public bool Continues { get; init; }
    }
}
