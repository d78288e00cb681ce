namespace ConntrackPS.Diagnosis.Grouping;

/// <summary>Numbers for texts, so that a text takes part in a key as a number does.</summary>
/// <remarks>Helpers, security contexts and namespaces: few texts, and few entries that have one. Safe for use from several
/// threads, since the filters of groups are.</remarks>
internal sealed class TextPool
{
    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);
    private readonly List<string> _texts = [];

    public GroupValue Of(string? text)
    {
        if (text is null)
            return GroupValue.Absent;
        lock (_texts)
        {
            if (!_numbers.TryGetValue(text, out int number))
            {
                number = _texts.Count;
                _numbers.Add(text, number);
                _texts.Add(text);
            }

            return GroupValue.Of((ulong)number);
        }
    }

    public string TextOf(GroupValue value)
    {
        lock (_texts)
            return _texts[(int)value.Low];
    }
}
