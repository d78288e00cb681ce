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
    private readonly bool _withCrossings;
    private readonly HashSet<ConntrackEntry> _crossed = [];
    private readonly HashSet<ConntrackEntry> _masters = [];

    /// <param name="seed">Decides everything.</param>
    /// <param name="helpers">The helpers that may be used, and each one's protocol.</param>
    /// <param name="withLabels">Labels need a rule that uses them, without which the kernel refuses.</param>
    /// <param name="withCrossings">Entries whose reply is another one's original tuple: conntrack -D can't tell these apart.</param>
    public RandomTable(int seed, IReadOnlyList<(string Name, IPProtocol Protocol)> helpers, bool withLabels = true, bool withCrossings = true)
    {
        _withCrossings = withCrossings;
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
            ConntrackEntry entry = _random.Next(10) == 0 && _withCrossings ? NextCrossing(entries) : _tuples.Next();
            if (!_crossed.Contains(entry))
                _extras.Decorate(entry);
            if (_random.Next(8) == 0)
                GiveMaster(entry, entries);
            entries.Add(entry);
        }

        return entries;
    }

    /// <summary>An entry whose reply is another one's original tuple: a look-up may find either. Flows of several zones that
    /// meet in one, as of tenants behind one uplink, come to this.</summary>
    private ConntrackEntry NextCrossing(List<ConntrackEntry> earlier)
    {
        List<ConntrackEntry> partners = [.. earlier.Where(entry => !_crossed.Contains(entry) && !_masters.Contains(entry) && CrossedTuples.CanCross(entry))];
        if (partners.Count == 0)
            return _tuples.Next();
        ConntrackEntry partner = partners[_random.Next(partners.Count)];
        ConntrackEntry crossing = CrossedTuples.Cross(partner, _extras.Decorate);
        _crossed.UnionWith([partner, crossing]);
        return crossing;
    }

    /// <summary>The kernel looks for a master in the entry's own zone, by one tuple: it must be no crossed one.</summary>
    private void GiveMaster(ConntrackEntry entry, List<ConntrackEntry> earlier)
    {
        List<ConntrackEntry> masters = [.. earlier.Where(other =>
            other.AddressFamily == entry.AddressFamily && other.Protocol is IPProtocol.Tcp or IPProtocol.Udp
            && !_crossed.Contains(other) && IsInDefaultZone(other) && IsInDefaultZone(entry))];
        if (masters.Count > 0)
            GiveMaster(entry, masters[_random.Next(masters.Count)]);
    }

    /// <summary>From now on nothing may get in the way of this master.</summary>
    private void GiveMaster(ConntrackEntry entry, ConntrackEntry master)
    {
        entry.MakeDetails().Master = master.Original;
        _masters.Add(master);
    }

    private static bool IsInDefaultZone(ConntrackEntry entry) =>
        entry is { Zone: 0, OriginalZone: null, ReplyZone: null };
}
