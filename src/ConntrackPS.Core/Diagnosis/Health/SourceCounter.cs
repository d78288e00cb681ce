using System.Runtime.InteropServices;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>Counts entries by source address.</summary>
internal sealed class SourceCounter
{
    private readonly Dictionary<(IPFamily Family, AddressBits Address), int> _counts = [];

    /// <summary>Counts one entry, or several.</summary>
    public void Add(IPFamily family, AddressBits address, int count = 1) =>
        CollectionsMarshal.GetValueRefOrAddDefault(_counts, (family, address), out _) += count;

    /// <summary>The sources with the most entries, the first one first.</summary>
    public IReadOnlyList<SourceCount> Top(int count)
    {
        // One pass with a short list: a flood with forged sources has a million of them.
        List<SourceCount> top = [];
        foreach (((IPFamily family, AddressBits address), int entries) in _counts)
        {
            if (top.Count == count && entries <= top[^1].Count)
                continue;
            if (top.Count == count)
                top.RemoveAt(count - 1);
            int place = top.FindIndex(other => other.Count < entries);
            top.Insert(place < 0 ? top.Count : place, new SourceCount(family, address, entries));
        }

        return top;
    }
}
