using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>A table of all that this kernel can hold, the same for the same seed.</summary>
internal sealed class RandomTable
{
    /// <summary>Also printed by the tests that use it, so that a failure tells all that is needed to repeat it.</summary>
    public const int DefaultSeed = 20261101;

    private readonly Random _random;
    private readonly RandomTuples _tuples;
    private readonly RandomExtras _extras;

    /// <param name="seed">Decides everything.</param>
    /// <param name="helpers">The helpers that may be used, and each one's protocol.</param>
    /// <param name="withLabels">Labels need a rule that uses them, without which the kernel refuses.</param>
    public RandomTable(int seed, IReadOnlyList<(string Name, IPProtocol Protocol)> helpers, bool withLabels = true)
    {
        _random = new Random(seed);
        _tuples = new RandomTuples(_random);
        _extras = new RandomExtras(_random, helpers, withLabels);
    }

    /// <summary>Makes entries that can be created in this order: a master comes before those it expected.</summary>
    public List<ConntrackEntry> Make(int count)
    {
        List<ConntrackEntry> entries = new(count);
        for (int i = 0; i < count; i++)
        {
            ConntrackEntry entry = _tuples.Next();
            _extras.Decorate(entry);
            if (_random.Next(8) == 0)
                GiveMaster(entry, entries);
            entries.Add(entry);
        }

        return entries;
    }

    /// <summary>The kernel looks for a master in the entry's own zone.</summary>
    private void GiveMaster(ConntrackEntry entry, List<ConntrackEntry> earlier)
    {
        List<ConntrackEntry> masters = [.. earlier.Where(other =>
            other.AddressFamily == entry.AddressFamily && other.Protocol is IPProtocol.Tcp or IPProtocol.Udp
            && IsInDefaultZone(other) && IsInDefaultZone(entry))];
        if (masters.Count > 0)
            entry.MakeDetails().Master = masters[_random.Next(masters.Count)].Original;
    }

    private static bool IsInDefaultZone(ConntrackEntry entry) =>
        entry is { Zone: 0, OriginalZone: null, ReplyZone: null };
}
