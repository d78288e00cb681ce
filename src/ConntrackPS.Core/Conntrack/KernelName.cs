using System.Globalization;
using System.Text;

namespace ConntrackPS.Conntrack;

/// <summary>What the kernel takes for a name. It reads up to the first NUL: of "ftp\0x" it would make "ftp", which nobody
/// named.</summary>
internal static class KernelName
{
    /// <summary>Bytes of a helper's name (NF_CT_HELPER_NAME_LEN, less the terminating NUL).</summary>
    public const int MaximumHelperBytes = 15;

    /// <summary>Bytes of a function's name; the kernel sets no limit, and its own are shorter than 32.</summary>
    public const int MaximumFunctionBytes = 255;

    /// <summary>True where the kernel reads the same name as we do.</summary>
    public static bool Fits(string name, int maximumBytes) =>
        Encoding.UTF8.GetByteCount(name) <= maximumBytes && !name.Contains('\0', StringComparison.Ordinal);

    /// <summary>Lets a name through; null is none.</summary>
    /// <exception cref="FormatException">The kernel would not take it, or take it for another.</exception>
    public static string? Check(string? name, string kind, int maximumBytes) =>
        name is null || Fits(name, maximumBytes)
            ? name
            : throw new FormatException($"'{name.Replace('\0', '\u2400')}' is not the name of a {kind}: give 1 to {maximumBytes} bytes, without NUL.");
}

/// <summary>Enum members by their own names or the kernel's: <c>SynSent</c> and <c>SYN_SENT</c> are the same.</summary>
internal static class KernelSpelling
{
    /// <summary>Reads a name, in any case, with or without underscores. Numbers are no names.</summary>
    public static bool TryParse<T>(string text, out T value)
        where T : struct, Enum
    {
        ArgumentNullException.ThrowIfNull(text);
        string name = text.Replace("_", "", StringComparison.Ordinal);
        value = default;
        return name.Length > 0 && char.IsAsciiLetter(name[0])
            && !name.Contains(',', StringComparison.Ordinal) && Enum.TryParse(name, ignoreCase: true, out value);
    }

    /// <summary>Reads bits: their number, or their names, comma-separated.</summary>
    /// <param name="text">The text.</param>
    /// <param name="unknown">The name that is none; null where all are.</param>
    /// <returns>Null where a name is none.</returns>
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
