using System.Management.Automation;

namespace ConntrackPS.Arguments;

/// <summary>Names that may hold wildcards.</summary>
internal static class NamePattern
{
    /// <summary>Reads a pattern.</summary>
    /// <returns>False for a plain name.</returns>
    /// <exception cref="FormatException">It has wildcards, and is no pattern: "[a-", for instance.</exception>
    /// <remarks>PowerShell notices that only when something is compared with it.</remarks>
    public static bool TryParse(string text, WildcardOptions options, out WildcardPattern pattern)
    {
        pattern = new WildcardPattern(text, options);
        try
        {
            _ = pattern.IsMatch("");
        }
        catch (WildcardPatternException exception)
        {
            throw new FormatException($"'{text}' is not a pattern of names: close the bracket, or write `[ for the character itself.", exception);
        }

        return WildcardPattern.ContainsWildcardCharacters(text);
    }
}
