namespace ConntrackPS.Text.Reading;

/// <summary>A form of text that is not a connection's own: expectations, statistics, settings, another program's table.</summary>
/// <remarks>One object reads one text, line by line, so that it may remember a heading. It sees the line without anything that
/// a terminal, a log or a mail put around it.</remarks>
internal interface ITextForm
{
    /// <summary>The form's name.</summary>
    ConntrackTextSource Source { get; }

    /// <summary>The words of the object read last that are not known.</summary>
    IReadOnlyList<string> UnknownWords => [];

    /// <summary>Reads a line.</summary>
    /// <param name="line">The line, trimmed, and not empty.</param>
    /// <param name="item">What the line describes, with <see cref="TextMatch.Read"/>.</param>
    /// <param name="fault">What does not fit, with <see cref="TextMatch.Faulty"/>.</param>
    TextMatch Read(ReadOnlySpan<char> line, out object? item, out TextFault fault);
}

/// <summary>What a form makes of a line.</summary>
internal enum TextMatch
{
    /// <summary>The line is not of this form.</summary>
    None,

    /// <summary>The line belongs to the form and describes nothing, such as a heading or a setting of another subsystem.</summary>
    Skipped,

    /// <summary>The line describes an object.</summary>
    Read,

    /// <summary>The line is of this form, but a value in it can't be read.</summary>
    Faulty,
}
