using System.Buffers;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Text;

/// <summary>Reads the words in brackets of a line: status bits and times.</summary>
internal sealed class MarkParser(EntryDraft draft)
{
    /// <summary>What the kernel's words in capitals consist of.</summary>
    public static readonly SearchValues<char> NameLetters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    /// <summary>True where the line says that no reply has been seen.</summary>
    public bool IsUnreplied { get; private set; }

    public void Begin() => IsUnreplied = false;

    /// <summary>Reads a word in brackets.</summary>
    /// <returns>What was expected instead; null for nothing.</returns>
    public string? Read(ReadOnlySpan<char> word)
    {
        if (word[^1] != ']')
            return "the closing bracket";
        ReadOnlySpan<char> mark = word[1..^1];
        switch (mark)
        {
            case "UNREPLIED":
                IsUnreplied = true;
                return null;
            case "ASSURED":
                draft.SetStatus(ConntrackStatus.Assured);
                return null;
            case "OFFLOAD":
                draft.SetStatus(ConntrackStatus.Offload);
                return null;
            case "HW_OFFLOAD":
                draft.SetStatus(ConntrackStatus.Offload | ConntrackStatus.HwOffload);
                return null;
            case "USERSPACE":
                return null;
        }

        if (mark.StartsWith("start=") || mark.StartsWith("stop="))
            return ReadTime(mark[0..(mark.IndexOf('=') + 1)], mark[(mark.IndexOf('=') + 1)..]);
        if (mark.IsEmpty || mark.ContainsAnyExcept(NameLetters))
            return "a mark such as [ASSURED]";
        draft.Omit(word.ToString());
        return null;
    }

    private string? ReadTime(ReadOnlySpan<char> key, ReadOnlySpan<char> value)
    {
        if (!ClockText.TryParse(value, out DateTime time))
            return "a time such as Fri Nov 20 07:40:00 2026";
        if (key is "start=")
            draft.SetStart(ClockText.ToNanoseconds(time));
        else
            draft.SetStop(ClockText.ToNanoseconds(time));
        return null;
    }
}
