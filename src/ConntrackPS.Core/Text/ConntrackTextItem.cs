using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Events;

namespace ConntrackPS.Text;

/// <summary>A result of reading text: a <see cref="ConntrackTextRecord"/> or a <see cref="ConntrackTextProblem"/>.</summary>
public abstract class ConntrackTextItem
{
    private protected ConntrackTextItem()
    {
    }

    /// <summary>The number of the first line of the item, from 1.</summary>
    public long LineNumber { get; internal set; }
}

/// <summary>An object read from text, with details about its line.</summary>
public sealed class ConntrackTextRecord : ConntrackTextItem
{
    internal ConntrackTextRecord(object value) => Value = value;

    /// <summary>The object: a <see cref="ConntrackEntry"/>, a <see cref="ConntrackEvent"/> if the text describes an event, or an object of
    /// the kind that <see cref="ConntrackTextSource"/> names.</summary>
    public object Value { get; }

    /// <summary>The entry or event; null if the object is neither. Its status contains what the text says or implies, not all that the
    /// kernel knew.</summary>
    public ConntrackEntry? Entry => Value as ConntrackEntry;

    /// <summary>The event; null if the object is not an event.</summary>
    internal ConntrackEvent? Event => Value as ConntrackEvent;

    /// <summary>The names of unknown words and of fields whose values can't be read. <see cref="ConntrackEntry.Extra"/> has their
    /// values.</summary>
    public IReadOnlyList<string> UnknownWords { get; internal init; } = [];

    /// <summary>The number of lines that the object was read from. It is more than 1 if a line was wrapped.</summary>
    public int LineCount { get; internal set; } = 1;
}

/// <summary>A line that could not be read. Reading continues after it.</summary>
public sealed class ConntrackTextProblem : ConntrackTextItem
{
    private const int ShownLength = 1000;

    internal ConntrackTextProblem(string line, TextFault fault) =>
        (Line, Found, Column, Expected) = (line, fault.Found, fault.Column, fault.Expected);

    /// <summary>The line; the joined lines if it was wrapped.</summary>
    public string Line { get; }

    /// <summary>The word that doesn't fit; empty if the line ends too early.</summary>
    public string Found { get; }

    /// <summary>The column of that word, from 1.</summary>
    public int Column { get; }

    /// <summary>The accepted form, as a phrase.</summary>
    public string Expected { get; }

    /// <summary>True if an address is hidden, as in published logs: <c>src=x.x.x.x</c>.</summary>
    public bool IsMasked => Expected == TextFault.MaskedAddress;

    /// <summary>The problem as a sentence.</summary>
    public override string ToString() => Found.Length == 0
        ? string.Create(CultureInfo.InvariantCulture, $"Line {LineNumber} ends too early: expected {Expected}. The line: {Shorten(Line.Trim())}")
        : string.Create(CultureInfo.InvariantCulture, $"Line {LineNumber}, column {Column}: found '{Shorten(Found)}', expected {Expected}. The line: {Shorten(Line.Trim())}");

    private static string Shorten(string text) => text.Length > ShownLength ? text[..ShownLength] + "..." : text;
}

/// <summary>The reason why a line is not an entry.</summary>
/// <param name="Found">The word that doesn't fit; empty at the end of the line.</param>
/// <param name="Column">The column of that word, from 1.</param>
/// <param name="Expected">The accepted form, as a phrase.</param>
/// <param name="IsBegun">True if the line begins as an entry does.</param>
/// <param name="IsAtEnd">True if nothing follows the word, so that the next line may complete it.</param>
internal readonly record struct TextFault(string Found, int Column, string Expected, bool IsBegun, bool IsAtEnd)
{
    /// <summary>The expected form for a hidden address.</summary>
    public const string MaskedAddress = "an address that is not hidden";

    /// <summary>True if the line may be the first part of a wrapped line.</summary>
    public bool MayContinue => IsBegun && IsAtEnd;
}
