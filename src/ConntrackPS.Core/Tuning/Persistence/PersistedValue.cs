using System.Globalization;

namespace ConntrackPS.Tuning.Persistence;

/// <summary>The programs that set kernel parameters from files, each in an order of its own.</summary>
[Flags]
internal enum BootReaders
{
    /// <summary>Nobody.</summary>
    None = 0,

    /// <summary>systemd-sysctl, at boot.</summary>
    Systemd = 1,

    /// <summary>sysctl(8) of procps: at boot without systemd, and whenever somebody types <c>sysctl --system</c>.</summary>
    Procps = 2,

    /// <summary>ufw, which has a file of its own (IPT_SYSCTL of /etc/default/ufw) set when it is started.</summary>
    Ufw = 4,

    /// <summary>modprobe, which gives the module its options when it is loaded.</summary>
    Modprobe = 8,
}

/// <summary>What a line of a file sets a parameter to.</summary>
/// <param name="Key">The parameter, with dots, under the one name it has here.</param>
/// <param name="Text">The value as it stands there.</param>
/// <param name="File">The file.</param>
/// <param name="Line">The line's number, from 1.</param>
/// <param name="Spelled">The parameter as it is spelled there, with dots: it may have two names.</param>
/// <param name="Readers">Who reads the line.</param>
internal sealed record PersistedValue(string Key, string Text, string File, int Line, string Spelled, BootReaders Readers)
{
    /// <summary>True for a name behind a minus and without a value: patterns leave it alone, and systemd-sysctl forgets what lines
    /// before it say.</summary>
    public bool IsExclusion { get; init; }

    /// <summary>The value as the kernel takes it; null where it is no number.</summary>
    public Int128? Number => Parse(Text);

    /// <summary>Who sets what, and where: <c>/etc/sysctl.conf line 2 to 2000 (sysctl --system)</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{File} line {Line} {(IsExclusion ? "not at all" : $"to {Text}")} ({Describe(Readers)})");

    /// <summary>Readers by the names that people know.</summary>
    public static string Describe(BootReaders readers) => string.Join(
        ", ",
        new[]
        {
            (BootReaders.Systemd, "systemd-sysctl"), (BootReaders.Procps, "sysctl --system"), (BootReaders.Ufw, "ufw, once it is enabled"),
            (BootReaders.Modprobe, "modprobe, where the module is loaded later"),
        }.Where(choice => readers.HasFlag(choice.Item1)).Select(choice => choice.Item2));

    /// <summary>The first word counts, and a number may be octal or hexadecimal (proc_get_long, kernel/sysctl.c).</summary>
    private static Int128? Parse(string text)
    {
        string word = text.Split((char[]?)null, 2, StringSplitOptions.RemoveEmptyEntries) is [{ } first, ..] ? first : "";
        bool isNegative = word.StartsWith('-');
        string digits = isNegative ? word[1..] : word;
        if (digits.Length is 0 or > 24 || !char.IsAsciiDigit(digits[0]))
            return null;
        Int128 number = 0;
        if (digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
        {
            if (!Int128.TryParse(digits[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number))
                return null;
        }
        else if (digits.Length > 1 && digits[0] == '0')
        {
            foreach (char digit in digits)
            {
                if (digit is < '0' or > '7')
                    return null;
                number = (number * 8) + (digit - '0');
            }
        }
        else if (!Int128.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number))
        {
            return null;
        }

        number = isNegative ? -number : number;
        return number >= long.MinValue && number <= ulong.MaxValue ? number : null;
    }
}
