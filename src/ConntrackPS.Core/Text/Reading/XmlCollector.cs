using System.Text;

namespace ConntrackPS.Text.Reading;

/// <summary>Finds the flow elements of an XML document that comes line by line, and reads each as soon as it is complete.</summary>
/// <remarks>Expectations are flow elements too. Flows don't depend on each other, so that a malformed one costs no other, and a stream of <c>conntrack -E</c> need
/// not end.</remarks>
internal sealed class XmlCollector(TextParser? parser, ExpectationForm? expectations, Action<ConntrackTextItem> emit)
{
    private const int MaximumLength = 16 * 1024;
    private const string Opening = "<flow";
    private const string Closing = "</flow>";
    private const string UserSpace = "[USERSPACE]";

    private static readonly string[] Wrappings = ["<conntrack>", "</conntrack>", "<conntrack/>", "<expect>", "</expect>", "<expect/>"];

    private readonly StringBuilder _flow = new();
    private readonly StringBuilder _spacedFlow = new();
    private long _firstLine;
    private long _lastLine;
    private DateTime? _loggedAt;
    private string? _waiting;
    private string? _waitingSpaced;

    /// <summary>Returns each event at once, since they may come live.</summary>
    public bool IsLive { get; init; }

    /// <summary>True in the middle of a flow.</summary>
    public bool IsOpen => _flow.Length > 0;

    /// <summary>True after an event's flow that ended its line: a program may follow in the next one.</summary>
    public bool IsWaiting => _waiting is not null;

    /// <summary>Takes the line after a flow if it is about the program that caused the event: a printer of XML may have wrapped it.</summary>
    public bool TryAddProgram(ReadOnlySpan<char> line)
    {
        bool isProgram = line.StartsWith(UserSpace, StringComparison.Ordinal);
        _lastLine += isProgram ? 1 : 0;
        EmitWaiting(isProgram ? line.ToString() : "");
        return isProgram;
    }

    /// <summary>Adds a line.</summary>
    /// <param name="line">The line.</param>
    /// <param name="number">Its number.</param>
    /// <param name="loggedAt">The time that a log has before it; null if there is none.</param>
    public void Add(ReadOnlySpan<char> line, long number, DateTime? loggedAt)
    {
        _loggedAt = loggedAt;
        _lastLine = number;
        ReadOnlySpan<char> rest = line;
        while (!rest.IsEmpty)
            rest = IsOpen && !Begins(rest) ? Continue(rest) : Begin(rest.TrimStart(), number);
    }

    /// <summary>Reports a flow that is cut off.</summary>
    public void Flush()
    {
        EmitWaiting("");
        if (IsOpen)
            Fail(_flow.ToString(), new TextFault("", 1, Closing, IsBegun: true, IsAtEnd: true));
        Clear();
    }

    private static bool Begins(ReadOnlySpan<char> text) =>
        text.TrimStart().StartsWith(Opening, StringComparison.Ordinal) || text.StartsWith("<?xml", StringComparison.Ordinal);

    private ReadOnlySpan<char> Begin(ReadOnlySpan<char> text, long number)
    {
        Flush();
        _firstLine = number;
        if (text.StartsWith(Opening, StringComparison.Ordinal))
        {
            _flow.Append(Opening);
            _spacedFlow.Append(Opening);
            return text[Opening.Length..] is { IsEmpty: false } more ? Continue(more) : default;
        }

        // Words that -E appends to a flow were read with the flow.
        if (text.IsEmpty || text.StartsWith(UserSpace, StringComparison.Ordinal))
            return default;
        foreach (string wrapping in Wrappings)
        {
            if (text.StartsWith(wrapping, StringComparison.Ordinal))
                return text[wrapping.Length..];
        }

        foreach ((string from, string to) in ((string, string)[])[("<?xml", "?>"), ("<!--", "-->")])
        {
            if (text.StartsWith(from, StringComparison.Ordinal) && text.IndexOf(to, StringComparison.Ordinal) is > 0 and int end)
                return text[(end + to.Length)..];
        }

        int length = text[1..].IndexOf('<') + 1;
        Fail(text.ToString(), new TextFault((length > 0 ? text[..length] : text).ToString(), 1, "<flow>", IsBegun: false, IsAtEnd: false));
        return default;
    }

    /// <summary>Takes the text up to the end of the flow.</summary>
    /// <returns>The text after it.</returns>
    private ReadOnlySpan<char> Continue(ReadOnlySpan<char> text)
    {
        int before = _flow.Length;
        string flow = _flow.Append(text).ToString();

        // The end tag itself may be split between two lines.
        int end = flow.IndexOf(Closing, Math.Max(0, before - Closing.Length), StringComparison.Ordinal) + Closing.Length;
        if (end >= Closing.Length)
        {
            _spacedFlow.Append(text[..(end - before)]);
            ReadOnlySpan<char> rest = text[(end - before)..];
            string program = ProgramAfter(rest);
            bool mayWait = rest.Trim().IsEmpty && !IsLive && flow.Contains(" type=", StringComparison.Ordinal);
            if (mayWait)
                (_waiting, _waitingSpaced) = (flow[..end], _spacedFlow.ToString());
            else
                Read(flow[..end], _spacedFlow.ToString(), program);
            Clear();
            return rest;
        }

        _spacedFlow.Append(text).Append('\n');
        if (flow.Length > MaximumLength)
            Flush();
        return default;
    }

    private void EmitWaiting(string program)
    {
        if (_waiting is not { } flow)
            return;
        (_waiting, string spaced) = (null, _waitingSpaced!);
        Read(flow, spaced, program);
    }

    /// <summary>Reads a flow whose lines were split at any place or, if that fails, at blanks of XML.</summary>
    private void Read(string flow, string spaced, string program)
    {
        if (flow.Contains("<expected>", StringComparison.Ordinal))
        {
            ReadExpectation(flow, spaced);
            return;
        }

        if (parser is null)
        {
            Fail(flow, new TextFault(Opening, 1, "an expectation: <expected>", IsBegun: true, IsAtEnd: false));
            return;
        }

        if (!parser.TryParseFlow(flow, program, _loggedAt, out ConntrackTextRecord? record, out TextFault fault)
            && !parser.TryParseFlow(spaced, program, _loggedAt, out record, out _))
        {
            Fail(flow, fault);
            return;
        }

        Emit(record);
    }

    private void ReadExpectation(string flow, string spaced)
    {
        if (expectations is null)
        {
            Fail(flow, new TextFault("<expected>", flow.IndexOf("<expected>", StringComparison.Ordinal) + 1, "a connection", IsBegun: true, IsAtEnd: false));
            return;
        }

        if (expectations.Read(flow, out object? item, out TextFault fault) == TextMatch.Read
            || expectations.Read(spaced, out item, out _) == TextMatch.Read)
            Emit(new ConntrackTextRecord(item!) { UnknownWords = expectations.UnknownWords });
        else
            Fail(flow, fault);
    }

    /// <summary>The words that -E appends to a flow that a program created: <c>[USERSPACE] portid=3114 progname=conntrack</c>.</summary>
    private static string ProgramAfter(ReadOnlySpan<char> rest)
    {
        ReadOnlySpan<char> text = rest.TrimStart();
        if (!text.StartsWith(UserSpace, StringComparison.Ordinal))
            return "";
        int next = text.IndexOf('<');
        return (next < 0 ? text : text[..next]).ToString();
    }

    private void Emit(ConntrackTextRecord record)
    {
        (record.LineNumber, record.LineCount) = (_firstLine, (int)(_lastLine - _firstLine) + 1);
        emit(record);
    }

    private void Clear()
    {
        _flow.Clear();
        _spacedFlow.Clear();
    }

    private void Fail(string text, TextFault fault) => emit(new ConntrackTextProblem(text, fault) { LineNumber = _firstLine });
}
