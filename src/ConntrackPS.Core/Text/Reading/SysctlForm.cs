using System.Buffers;
using ConntrackPS.Diagnosis;
using ConntrackPS.Tuning.Persistence;
using ConntrackPS.Tuning.Settings;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Text.Reading;

/// <summary>Reads settings and timeouts: lines of sysctl(8), of /etc/sysctl.conf, and of <c>grep . /proc/sys/net/netfilter/*</c>.</summary>
/// <remarks><c>net.netfilter.nf_conntrack_max = 262144</c>, with dots or slashes, also with the names of kernels before 4.19:
/// net.ipv4.netfilter.ip_conntrack_* and net.ipv4.ip_conntrack_max. An unknown parameter of connection tracking becomes a setting with the
/// kernel's name. nf_conntrack_count, which can't be set, becomes a statistic. Parameters of other subsystems are skipped.</remarks>
internal sealed class SysctlForm : ITextForm
{
    private const string Program = "sysctl";
    private const string ProcSys = "/proc/sys/";
    private const string Prefix = "net.netfilter.nf_conntrack_";
    private const int MaximumKeyLength = 256;

    /// <summary>The old places of the parameters, more specific ones first.</summary>
    private static readonly string[] FormerPrefixes = ["net.ipv4.netfilter.ip_conntrack_", "net.ipv4.ip_conntrack_", "net.nf_conntrack_"];

    /// <summary>The directories of /proc/sys.</summary>
    private static readonly string[] Roots = ["abi", "crypto", "debug", "dev", "fs", "kernel", "net", "sunrpc", "user", "vm", "xen"];

    private static readonly SearchValues<char> KeyLetters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/*@:+");

    /// <inheritdoc/>
    public ConntrackTextSource Source => ConntrackTextSource.Sysctl;

    /// <inheritdoc/>
    public TextMatch Read(ReadOnlySpan<char> line, out object? item, out TextFault fault)
    {
        (item, fault) = (null, default);

        // Its errors, such as "sysctl: permission denied on key 'net.ipv6.conf.all.stable_secret'".
        if (line.StartsWith("sysctl: "))
            return TextMatch.Skipped;
        int from = 0;
        if (line.StartsWith(Program) && line.Length > Program.Length && line[Program.Length] == ' ' && !TrySkipCommand(line, out from))
            return IsListing(line[Program.Length..]) ? TextMatch.Skipped : TextMatch.None;
        ReadOnlySpan<char> text = line[from..];
        if (!TrySplit(text, out ReadOnlySpan<char> key, out ReadOnlySpan<char> value))
            return TextMatch.None;
        string dotted = SysctlKey.Spell(key);
        if (FileOf(dotted) is not { } file)
            return TextMatch.Skipped;
        if (Make(file, value) is { } made)
        {
            item = made;
            return TextMatch.Read;
        }

        int at = value.IsEmpty ? line.Length : line.Length - text.Length + text.LastIndexOf(value);
        fault = new TextFault(value.ToString(), at + 1, "a number that the kernel can have", IsBegun: true, IsAtEnd: value.IsEmpty);
        return TextMatch.Faulty;
    }

    /// <summary>Finds the assignment in <c>sysctl -w net.netfilter.nf_conntrack_max=5</c>.</summary>
    private static bool TrySkipCommand(ReadOnlySpan<char> line, out int from)
    {
        from = Program.Length;
        while (from < line.Length && (line[from] == ' ' || line[from] == '-'))
        {
            int length = line[from] == ' ' ? 1 : line[from..].IndexOf(' ');
            from += length < 0 ? line.Length - from : length;
        }

        return from < line.Length && TrySplit(line[from..], out _, out _);
    }

    /// <summary>True for the command line of a listing: options, and at most one key, with a filter after it.</summary>
    private static bool IsListing(ReadOnlySpan<char> arguments)
    {
        bool isKnown = false;
        if (arguments.Length > MaximumKeyLength)
            return false;
        foreach (string word in arguments.ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (word == "|")
                return isKnown;
            if (word[0] != '-' && !IsKey(word))
                return false;
            isKnown = true;
        }

        return isKnown;
    }

    /// <summary>Splits a line into a parameter and its value.</summary>
    private static bool TrySplit(ReadOnlySpan<char> text, out ReadOnlySpan<char> key, out ReadOnlySpan<char> value)
    {
        // grep prints names of files. Elsewhere a colon may be part of a name.
        bool isFile = text.StartsWith(ProcSys);
        int end = isFile ? text.IndexOfAny(':', '=') : text.IndexOf('=');
        key = end > 0 ? text[..end].Trim().TrimStart('-').TrimStart() : default;
        value = end > 0 ? text[(end + 1)..].Trim() : default;
        if (isFile && end > 0)
            key = key[ProcSys.Length..];
        return end > 0 && IsKey(key);
    }

    private static bool IsKey(ReadOnlySpan<char> key)
    {
        int end = key.IndexOfAny('.', '/');
        if (end < 1 || end == key.Length - 1 || key.Length > MaximumKeyLength || key.ContainsAnyExcept(KeyLetters))
            return false;
        foreach (string root in Roots)
        {
            if (key[..end].SequenceEqual(root))
                return true;
        }

        return false;
    }

    /// <summary>The file of a parameter below /proc/sys/net/netfilter, also if it was moved there later; null for other
    /// subsystems.</summary>
    private static string? FileOf(string key)
    {
        if (key.StartsWith(Prefix, StringComparison.Ordinal))
            return IsName(key[Prefix.Length..]) ? "nf_conntrack_" + key[Prefix.Length..] : null;
        return Array.Find(FormerPrefixes, former => key.StartsWith(former, StringComparison.Ordinal)) is { } prefix && IsName(key[prefix.Length..])
            ? "nf_conntrack_" + key[prefix.Length..]
            : null;
    }

    private static bool IsName(string name) => name.Length > 0 && name.All(letter => char.IsAsciiLetterLower(letter) || char.IsAsciiDigit(letter) || letter == '_');

    /// <returns>The object; null if the value can't be read.</returns>
    private static object? Make(string file, ReadOnlySpan<char> text)
    {
        if (text.IsEmpty || text.IndexOfAny(' ', '\t') >= 0 || PersistedValue.Parse(text.ToString()) is not { } number)
            return null;
        if (file == "nf_conntrack_count")
            return number >= 0 && number <= long.MaxValue ? new ConntrackStat(new CounterValues(), (long)number) : null;

        // UDP-Lite uses the timeouts of UDP, which come first.
        if (TimeoutCatalog.All.FirstOrDefault(definition => definition.Sysctl == file) is not { } timeout)
            return new ConntrackSetting(SettingCatalog.OfFile(file), number);

        // The kernel accepts any 32-bit number as a timeout. -1 is the longest.
        return number >= int.MinValue && number <= uint.MaxValue ? new ConntrackTimeout(timeout, unchecked((uint)(long)number)) : null;
    }
}
