namespace ConntrackPS.Conntrack;

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
