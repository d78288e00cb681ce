using System.Globalization;

namespace ConntrackPS.Tuning.Persistence;

/// <summary>What a file sets a parameter to at boot.</summary>
/// <param name="Key">The parameter, with dots.</param>
/// <param name="Text">The value as it stands there.</param>
/// <param name="File">The file.</param>
internal sealed record PersistedValue(string Key, string Text, string File)
{
    /// <summary>The value as a number; null where it is none.</summary>
    public long? Number =>
        long.TryParse(Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) ? number : null;
}
