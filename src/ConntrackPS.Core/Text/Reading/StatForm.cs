using System.Globalization;
using ConntrackPS.Diagnosis;

namespace ConntrackPS.Text.Reading;

/// <summary>Reads counters: /proc/net/stat/nf_conntrack, /proc/net/stat/ip_conntrack, <c>conntrack -S</c> and <c>conntrack -S expect</c>.</summary>
/// <remarks>ct_cpu_seq_show of net/netfilter/nf_conntrack_standalone.c: a heading, then a row of hexadecimal numbers for each processor.
/// nfct_stats_cb of conntrack-tools: <c>cpu=0 found=0 ...</c>. Programs before 1.2 print the sums of all processors, one counter a line.
/// The first is entries. See <see cref="IMultilineForm"/>.</remarks>
internal sealed class StatForm : IMultilineForm
{
    private const string Entries = "entries";
    private const string Cpu = "cpu=";

    /// <summary>The number of hexadecimal digits of a counter of the kernel.</summary>
    private const int Digits = 8;

    /// <summary>More counters than any kernel has.</summary>
    private const int MaximumColumns = 64;

    /// <summary>The last column since Linux 2.6.36, and the last line that old programs print.</summary>
    private const string LastCounter = "search_restart";

    private string[]? _columns;
    private int _row;
    private Dictionary<string, ulong>? _sum;
    private List<string> _unknown = [];

    /// <inheritdoc/>
    public ConntrackTextSource Source => ConntrackTextSource.Stat;

    /// <inheritdoc/>
    public IReadOnlyList<string> UnknownWords => _unknown;

    /// <inheritdoc/>
    public TextMatch Read(ReadOnlySpan<char> line, out object? item, out TextFault fault)
    {
        (item, fault) = (null, default);
        _unknown = [];
        if (line.StartsWith(Cpu))
            return ReadProcessor(line, out item, out fault);
        if (TryReadCounter(line, out string name, out ulong number))
            return ReadCounter(name, number, out item);
        if (line.StartsWith(Entries) && IsHeading(line.ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries)))
            return TextMatch.Skipped;
        return _columns is null ? TextMatch.None : ReadRow(line, out item, out fault);
    }

    /// <inheritdoc/>
    public bool TryComplete(out object? item)
    {
        item = _sum is null ? null : MakeSum(_sum);
        _sum = null;
        return item is not null;
    }

    private bool IsHeading(string[] names)
    {
        if (names.Length is < 8 or > MaximumColumns || names[0] != Entries || !Array.TrueForAll(names, IsName)
            || names.Distinct(StringComparer.Ordinal).Count() != names.Length || !Array.Exists(names, name => CounterNames.Find(name) is not null))
            return false;
        (_columns, _row) = (names, 0);
        return true;
    }

    private static bool IsName(string word) =>
        word.Length > 0 && word[0] is >= '_' and <= 'z' && word.All(letter => letter is >= '_' and <= 'z' || char.IsAsciiDigit(letter));

    /// <summary>Reads a row. Rows have no number. The kernel prints one for each possible processor.</summary>
    private TextMatch ReadRow(ReadOnlySpan<char> line, out object? item, out TextFault fault)
    {
        (item, fault) = (null, default);
        if (line.Length > (Digits + 2) * MaximumColumns)
            return TextMatch.None;
        string[] words = line.ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (!Array.TrueForAll(words, word => word.Length == Digits && word.All(char.IsAsciiHexDigitLower)))
            return TextMatch.None;
        if (words.Length != _columns!.Length)
        {
            string expected = string.Create(CultureInfo.InvariantCulture, $"{_columns.Length} numbers, as the heading has");
            fault = new TextFault(words.Length > _columns.Length ? words[_columns.Length] : "", line.Length, expected, IsBegun: true, IsAtEnd: true);
            return TextMatch.Faulty;
        }

        Dictionary<string, ulong> values = [];
        for (int i = 0; i < words.Length; i++)
            values.Add(_columns[i], ulong.Parse(words[i], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
        item = new ConntrackCpuStat(ToCounters(values, out Dictionary<string, string>? extra), _row++) { Extra = extra };
        return TextMatch.Read;
    }

    /// <summary>Reads <c>cpu=0   found=0 invalid=3</c>.</summary>
    private TextMatch ReadProcessor(ReadOnlySpan<char> line, out object? item, out TextFault fault)
    {
        (item, fault) = (null, default);
        TextCursor cursor = new(line, 0);
        if (!cursor.Read(out ReadOnlySpan<char> word) || !int.TryParse(word[Cpu.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out int cpu))
            return TextMatch.None;
        Dictionary<string, ulong> values = [];
        while (cursor.Read(out word))
        {
            int equals = word.IndexOf('=');
            string name = equals > 0 ? word[..equals].ToString() : "";
            if (!IsName(name) || (values.Count == 0 && CounterNames.Find(name) is null && !IsFormer(name)))
                return values.Count == 0 ? TextMatch.None : Fail(cursor, "counter=number", out fault);
            if (!TextNumber.TryRead(word[(equals + 1)..], out ulong number) || !values.TryAdd(name, number))
                return Fail(cursor, "a number, once for each counter", out fault);
        }

        if (values.Count == 0)
            return TextMatch.None;
        item = new ConntrackCpuStat(ToCounters(values, out Dictionary<string, string>? extra), cpu) { Extra = extra };
        return TextMatch.Read;
    }

    private static TextMatch Fail(in TextCursor cursor, string expected, out TextFault fault)
    {
        fault = new TextFault(cursor.Word.ToString(), cursor.Start + 1, expected, IsBegun: true, cursor.IsAtEnd);
        return TextMatch.Faulty;
    }

    /// <summary>Reads <c>entries              12</c>.</summary>
    private static bool TryReadCounter(ReadOnlySpan<char> line, out string name, out ulong number)
    {
        (name, number) = ("", 0);
        int blank = line.IndexOfAny(' ', '\t');
        if (blank is < 1 or > 32 || !TextNumber.TryRead(line[blank..].Trim(), out number))
            return false;
        name = line[..blank].ToString();
        return IsName(name);
    }

    /// <summary>Adds a counter to those of the lines before it. The first of them was entries.</summary>
    private TextMatch ReadCounter(string name, ulong number, out object? item)
    {
        item = null;
        if (name == Entries)
        {
            bool isNext = TryComplete(out item);
            _sum = new Dictionary<string, ulong> { [name] = number };
            return isNext ? TextMatch.Read : TextMatch.Skipped;
        }

        if (_sum is null || (CounterNames.Find(name) is null && !IsFormer(name)) || !_sum.TryAdd(name, number))
            return TextMatch.None;
        return name == LastCounter && TryComplete(out item) ? TextMatch.Read : TextMatch.Skipped;
    }

    private ConntrackStat MakeSum(Dictionary<string, ulong> values)
    {
        long? count = values.Remove(Entries, out ulong entries) && entries <= long.MaxValue ? (long)entries : null;
        return new ConntrackStat(ToCounters(values, out Dictionary<string, string>? extra), count) { Extra = extra };
    }

    /// <summary>Counters that newer kernels no longer have.</summary>
    private static bool IsFormer(string name) => name is "searched" or "new" or "ignore" or "delete" or "delete_list";

    private CounterValues ToCounters(Dictionary<string, ulong> values, out Dictionary<string, string>? extra)
    {
        CounterValues counters = new();
        extra = null;
        foreach ((string name, ulong value) in values)
        {
            if (CounterNames.Find(name) is { } counter)
                counters[counter] = value;
            else
                (extra ??= []).Add(name, value.ToString(CultureInfo.InvariantCulture));
            if (CounterNames.Find(name) is null && name != Entries && !IsFormer(name))
                _unknown.Add(name);
        }

        return counters;
    }
}

/// <summary>A form in which one object may have several lines, so that its last line is known only at the end of the text.</summary>
internal interface IMultilineForm : ITextForm
{
    /// <summary>Returns the unfinished object, at the end of the text or before a line that is not part of it.</summary>
    bool TryComplete(out object? item);
}
