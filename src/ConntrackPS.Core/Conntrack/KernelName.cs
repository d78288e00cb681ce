using System.Globalization;
using System.Text;

namespace ConntrackPS.Conntrack;

/// <summary>Checks names that are sent to the kernel. The kernel reads a name up to the first NUL: it would read "ftp\0x" as
/// "ftp".</summary>
internal static class KernelName
{
    /// <summary>The maximum bytes of a helper's name (NF_CT_HELPER_NAME_LEN without the terminating NUL).</summary>
    public const int MaximumHelperBytes = 15;

    /// <summary>The maximum bytes of a function's name. The kernel sets no limit; its own names are shorter than 32.</summary>
    public const int MaximumFunctionBytes = 255;

    /// <summary>True if the kernel reads the whole name unchanged.</summary>
    public static bool Fits(string name, int maximumBytes) =>
        Encoding.UTF8.GetByteCount(name) <= maximumBytes && !name.Contains('\0', StringComparison.Ordinal);

    /// <summary>Returns a valid name. Null means no name.</summary>
    /// <exception cref="FormatException">The kernel would reject the name, or read a different one.</exception>
    public static string? Check(string? name, string kind, int maximumBytes) =>
        name is null || Fits(name, maximumBytes)
            ? name
            : throw new FormatException($"'{name.Replace('\0', '\u2400')}' is not the name of a {kind}: give 1 to {maximumBytes} bytes, without NUL.");
}

/// <summary>Enum members by their own names or the kernel's: <c>SynSent</c> and <c>SYN_SENT</c> are equal.</summary>
internal static class KernelSpelling
{
    /// <summary>Parses a name, in any case, with or without underscores. Numbers are not accepted.</summary>
    public static bool TryParse<T>(string text, out T value)
        where T : struct, Enum
    {
        ArgumentNullException.ThrowIfNull(text);
        string name = text.Replace("_", "", StringComparison.Ordinal);
        value = default;
        return name.Length > 0 && char.IsAsciiLetter(name[0])
            && !name.Contains(',', StringComparison.Ordinal) && Enum.TryParse(name, ignoreCase: true, out value);
    }

    /// <summary>Parses bits: their number, or their names, comma-separated.</summary>
    /// <param name="text">The text.</param>
    /// <param name="unknown">The first unknown name, or null if all are known.</param>
    /// <returns>Null if a name is unknown.</returns>
    public static uint? ParseBits<T>(string text, out string? unknown)
        where T : struct, Enum
    {
        unknown = null;
        if (uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint number))
            return number;
        uint bits = 0;
        foreach (string word in text.Split(',', StringSplitOptions.TrimEntries))
        {
            if (!TryParse(word, out T bit))
            {
                unknown = word;
                return null;
            }

            bits |= Convert.ToUInt32(bit, CultureInfo.InvariantCulture);
        }

        return bits;
    }

    /// <summary>The kernel's spelling: <c>SYN_SENT</c>.</summary>
    public static string Of<T>(T value)
        where T : struct, Enum
    {
        string name = value.ToString();
        return string.Concat(name.Select((letter, index) =>
            index > 0 && char.IsAsciiLetterUpper(letter) ? "_" + letter : char.ToUpperInvariant(letter).ToString()));
    }

    /// <summary>All names, for messages.</summary>
    public static string Choices<T>()
        where T : struct, Enum => string.Join(", ", Enum.GetNames<T>().Where(name => name is not ("None" or "Unknown")));
}
