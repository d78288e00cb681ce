namespace ConntrackPS.Tuning.Persistence;

/// <summary>One assignment of a sysctl file.</summary>
/// <param name="Key">The parameter, with dots.</param>
/// <param name="Value">What it is set to.</param>
internal readonly record struct SysctlLine(string Key, string Value)
{
    /// <summary>Reads a line; comments, empty ones and others are no assignment.</summary>
    /// <remarks>sysctl.d(5): a leading minus means that failure does not matter.</remarks>
    public static SysctlLine? Parse(string line)
    {
        ReadOnlySpan<char> text = line.AsSpan().Trim();
        int equals = text.IndexOf('=');
        if (text.IsEmpty || text[0] is '#' or ';' || equals < 1)
            return null;
        return new SysctlLine(SysctlKey.Normalize(text[..equals].TrimStart('-').Trim()), text[(equals + 1)..].Trim().ToString());
    }

    /// <summary>The line as we write it.</summary>
    public override string ToString() => $"{Key} = {Value}";
}
