namespace ConntrackPS.Text.Reading;

/// <summary>A form of text other than that of connections: expectations, statistics, settings, or the table of another program.</summary>
/// <remarks>One object reads one text, line by line, so that it can remember a heading. It gets each line without the text that a terminal,
/// a log or a mail program has added.</remarks>
internal interface ITextForm
{
    /// <summary>The name of the form.</summary>
    ConntrackTextSource Source { get; }

    /// <summary>The words of the object read last that are not known.</summary>
    IReadOnlyList<string> UnknownWords => [];

    /// <summary>Reads a line.</summary>
    /// <param name="line">The line, trimmed, and not empty.</param>
    /// <param name="item">The described object, with <see cref="TextMatch.Read"/>.</param>
    /// <param name="fault">The part that doesn't fit, with <see cref="TextMatch.Faulty"/>.</param>
    TextMatch Read(ReadOnlySpan<char> line, out object? item, out TextFault fault);
}

/// <summary>The result of reading a line in a form.</summary>
internal enum TextMatch
{
    /// <summary>The line is not of this form.</summary>
    None,

    /// <summary>The line has this form but describes nothing, such as a heading or a setting of another subsystem.</summary>
    Skipped,

    /// <summary>The line describes an object.</summary>
    Read,

    /// <summary>The line has this form, but one of its values can't be read.</summary>
    Faulty,
}
