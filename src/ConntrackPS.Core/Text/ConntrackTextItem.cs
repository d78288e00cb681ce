using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Events;

namespace ConntrackPS.Text;

/// <summary>What reading text yields: a <see cref="ConntrackTextRecord"/> or a <see cref="ConntrackTextProblem"/>.</summary>
public abstract class ConntrackTextItem
{
    private protected ConntrackTextItem()
    {
    }

    /// <summary>The number of the line it begins in, from 1.</summary>
    public long LineNumber { get; internal set; }
}

/// <summary>An object read from text, and what the line said beside it.</summary>
public sealed class ConntrackTextRecord : ConntrackTextItem
{
    internal ConntrackTextRecord(object value) => Value = value;

    /// <summary>The object: a <see cref="ConntrackEntry"/>, a <see cref="ConntrackEvent"/> where the text is an event's, or what
    /// <see cref="ConntrackTextSource"/> names.</summary>
    public object Value { get; }

    /// <summary>The entry or event; null where the object is none. Its status holds what the text tells or implies, not all that the
    /// kernel knew.</summary>
    public ConntrackEntry? Entry => Value as ConntrackEntry;

    /// <summary>The event; null where the object is none.</summary>
    internal ConntrackEvent? Event => Value as ConntrackEvent;

    /// <summary>Words that are not known, and fields whose values can't be read, by name. <see cref="ConntrackEntry.Extra"/> has them with
    /// their values.</summary>
    public IReadOnlyList<string> UnknownWords { get; internal init; } = [];

    /// <summary>How many lines the object was read from, which is more than 1 where a line was wrapped.</summary>
    public int LineCount { get; internal set; } = 1;
}

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

    /// <summary>True where an address is hidden, as people do who publish a line: <c>src=x.x.x.x</c>.</summary>
    public bool IsMasked => Expected == TextFault.MaskedAddress;

    /// <summary>The problem as a sentence.</summary>
    public override string ToString() => Found.Length == 0
        ? string.Create(CultureInfo.InvariantCulture, $"Line {LineNumber} ends too early: expected {Expected}. The line: {Shorten(Line.Trim())}")
        : string.Create(CultureInfo.InvariantCulture, $"Line {LineNumber}, column {Column}: found '{Shorten(Found)}', expected {Expected}. The line: {Shorten(Line.Trim())}");

    private static string Shorten(string text) => text.Length > ShownLength ? text[..ShownLength] + "..." : text;
}

/// <summary>Why a line is not an entry.</summary>
/// <param name="Found">The word that doesn't fit; empty at the end of the line.</param>
/// <param name="Column">Where it begins, from 1.</param>
/// <param name="Expected">What would have been accepted, as a phrase.</param>
/// <param name="IsBegun">True where the line begins as an entry does.</param>
/// <param name="IsAtEnd">True where nothing follows the word, so that a continuation line may mend it.</param>
internal readonly record struct TextFault(string Found, int Column, string Expected, bool IsBegun, bool IsAtEnd)
{
    /// <summary>What is expected in the place of a hidden address.</summary>
    public const string MaskedAddress = "an address that is not hidden";

    /// <summary>True where the line may be the first part of one that was wrapped.</summary>
    public bool MayContinue => IsBegun && IsAtEnd;
}
