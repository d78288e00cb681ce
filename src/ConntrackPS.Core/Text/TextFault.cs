namespace ConntrackPS.Text;

/// <summary>Why a line is not an entry.</summary>
/// <param name="Found">The word that doesn't fit; empty at the end of the line.</param>
/// <param name="Column">Where it begins, from 1.</param>
/// <param name="Expected">What would have been accepted, as a phrase.</param>
/// <param name="IsBegun">True where the line begins as an entry does.</param>
/// <param name="IsAtEnd">True where nothing follows the word, so that a continuation line may mend it.</param>
internal readonly record struct TextFault(string Found, int Column, string Expected, bool IsBegun, bool IsAtEnd)
{
    /// <summary>True where the line may be the first part of one that was wrapped.</summary>
    public bool MayContinue => IsBegun && IsAtEnd;
}
