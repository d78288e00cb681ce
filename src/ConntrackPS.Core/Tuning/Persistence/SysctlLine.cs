namespace ConntrackPS.Tuning.Persistence;

/// <summary>One assignment of a sysctl file.</summary>
/// <param name="Key">The parameter, with dots.</param>
/// <param name="Value">What it is set to.</param>
internal readonly record struct SysctlLine(string Key, string Value)
{
    private const BootReaders Both = BootReaders.Systemd | BootReaders.Procps;

    /// <summary>The parameter as it is spelled there, with dots.</summary>
    public string Spelled { get; private init; } = Key;

    /// <summary>Who takes it for an assignment.</summary>
    public BootReaders Readers { get; private init; } = Both;

    /// <summary>What systemd-sysctl takes for the end of a line; sysctl(8) goes by line feeds alone.</summary>
    private static readonly char[] Ends = ['\r', '\n', '\0'];

    /// <summary>In the C locale, whatever the bytes of a value are in Latin-1.</summary>
    private static readonly char[] Blanks = [' ', '\t', '\r', '\n', '\v', '\f'];

    /// <summary>Reads a line; comments, empty ones and others are no assignment, and neither are those that readers
    /// disagree about (<see cref="Hidden"/>).</summary>
    /// <remarks>sysctl.d(5): a leading minus means that failure does not matter. Blanks behind it are systemd-sysctl's alone, a
    /// second minus is sysctl(8)'s (seen with 252 and 4.0.2).</remarks>
    public static SysctlLine? Parse(string line)
    {
        string text = line.Trim(Blanks);
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (text.Length == 0 || text[0] is '#' or ';' || equals < 1 || text.IndexOfAny(Ends) >= 0)
            return null;
        string left = text[..equals].TrimEnd(Blanks), name = left.TrimStart('-');
        string key = name.Trim(Blanks);
        int minuses = left.Length - name.Length;
        BootReaders readers = minuses > 1 ? BootReaders.Procps : minuses == 1 && key.Length < name.Length ? BootReaders.Systemd : Both;
        return key.Length == 0 ? null : new SysctlLine(SysctlKey.Normalize(key), text[(equals + 1)..].Trim(Blanks))
        {
            Spelled = SysctlKey.Spell(key),
            Readers = readers,
        };
    }

    /// <summary>A name behind a minus and without a value: patterns shall leave it alone.</summary>
    public static string? Excluded(string line)
    {
        string text = line.Trim(Blanks);
        return text.StartsWith('-') && !text.Contains('=', StringComparison.Ordinal) && text.IndexOfAny(Ends) < 0
            ? SysctlKey.Spell(text[1..].Trim(Blanks))
            : null;
    }

    /// <summary>Assignments in a line with a carriage return or a zero in it, by which systemd-sysctl divides it (seen with
    /// 252) and sysctl(8) does not (seen with procps 4.0.2).</summary>
    public static IEnumerable<SysctlLine> Hidden(string line)
    {
        string text = line.Trim(Blanks);
        return text.IndexOfAny(Ends) < 0 ? [] : text.Split(Ends).Select(Parse).OfType<SysctlLine>();
    }

    /// <summary>The line as we write it.</summary>
    public override string ToString() => $"{Key} = {Value}";
}

/// <summary>Names of kernel parameters as sysctl(8) writes them.</summary>
internal static class SysctlKey
{
    private const string Prefix = "net.netfilter.";

    /// <summary>Where kernels before 4.19 had the same parameters as well.</summary>
    private const string FormerPrefix = "net.ipv4.netfilter.ip_conntrack_";

    /// <summary>The key of a file below /proc/sys/net/netfilter.</summary>
    public static string Of(string name) => Prefix + name;

    /// <summary>True for a parameter of connection tracking, spelled as <see cref="Normalize"/> does.</summary>
    public static bool IsOfConntrack(string key) => key.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>True for a name that the kernel has given up: a line with it sets nothing.</summary>
    public static bool IsGivenUp(string key) => key.StartsWith(FormerPrefix, StringComparison.Ordinal);

    /// <summary>One spelling for each way through /proc/sys. The first separator says which of the two divides: with
    /// <c>net/netfilter/x</c> a dot belongs to a name, with <c>net.netfilter.x</c> a slash does (sysctl_normalize of systemd,
    /// slashdot of procps).</summary>
    public static string Spell(ReadOnlySpan<char> key)
    {
        int first = key.IndexOfAny('.', '/');
        string text = key.ToString();
        if (first >= 0 && text[first] == '/')
            text = string.Create(text.Length, text, (characters, source) =>
            {
                for (int i = 0; i < source.Length; i++)
                    characters[i] = source[i] switch { '/' => '.', '.' => '/', char other => other };
            });
        return text.TrimStart('.');
    }

    /// <summary>One name for each parameter: the maximum has a second one.</summary>
    public static string Normalize(ReadOnlySpan<char> key)
    {
        string dotted = Spell(key);
        return dotted == "net.nf_conntrack_max" ? Of("nf_conntrack_max") : dotted;
    }
}
