using System.Globalization;

namespace ConntrackPS.Text;

/// <summary>A line that could not be read; the lines after it are read nonetheless.</summary>
public sealed class ConntrackTextProblem : ConntrackTextItem
{
    private const int ShownLength = 1000;

    internal ConntrackTextProblem(string line, TextFault fault) =>
        (Line, Found, Column, Expected) = (line, fault.Found, fault.Column, fault.Expected);

    /// <summary>The line; joined where it was wrapped.</summary>
    public string Line { get; }

    /// <summary>The word that doesn't fit; empty where the line ends too early.</summary>
    public string Found { get; }

    /// <summary>Where that word begins, from 1.</summary>
    public int Column { get; }

    /// <summary>What was expected in its place.</summary>
    public string Expected { get; }

    /// <summary>The problem as a sentence.</summary>
    public override string ToString() => Found.Length == 0
        ? string.Create(CultureInfo.InvariantCulture, $"Line {LineNumber} ends too early: expected {Expected}. The line: {Shorten(Line.Trim())}")
        : string.Create(CultureInfo.InvariantCulture, $"Line {LineNumber}, column {Column}: found '{Shorten(Found)}', expected {Expected}. The line: {Shorten(Line.Trim())}");

    private static string Shorten(string text) => text.Length > ShownLength ? text[..ShownLength] + "..." : text;
}
