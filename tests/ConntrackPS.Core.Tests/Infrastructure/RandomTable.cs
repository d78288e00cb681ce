using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>A table with everything that this kernel supports. The same seed creates the same table.</summary>
internal sealed class RandomTable
{
    /// <summary>The tests also print it, so that a failure can be repeated.</summary>
    public const int DefaultSeed = 20261101;

    private readonly Random _random;
    private readonly RandomTuples _tuples;
    private readonly RandomExtras _extras;
    private readonly bool _withCrossings;
    private readonly HashSet<ConntrackEntry> _crossed = [];
    private readonly HashSet<ConntrackEntry> _masters = [];

    /// <param name="seed">Determines everything.</param>
    /// <param name="helpers">The helpers to use, with their protocols.</param>
    /// <param name="withLabels">True to set labels. The kernel refuses them without a rule that uses labels.</param>
    /// <param name="withCrossings">True for entries whose reply is the original tuple of another one: conntrack -D can't distinguish
    /// them.</param>
    public RandomTable(int seed, IReadOnlyList<(string Name, IPProtocol Protocol)> helpers, bool withLabels = true, bool withCrossings = true)
    {
        _withCrossings = withCrossings;
        _random = new Random(seed);
        _tuples = new RandomTuples(_random);
        _extras = new RandomExtras(_random, helpers, withLabels);
    }

    /// <summary>Creates entries in a valid order: a master comes before the connections that it expected.</summary>
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

    /// <summary>An entry whose reply is the original tuple of another one: a lookup may find either. This happens if flows of several zones
    /// meet in one, such as tenants behind one uplink.</summary>
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

    /// <summary>The kernel looks for a master in the entry's own zone, by one tuple, so the tuple must not be crossed.</summary>
    private void GiveMaster(ConntrackEntry entry, List<ConntrackEntry> earlier)
    {
        List<ConntrackEntry> masters = [.. earlier.Where(other =>
            other.AddressFamily == entry.AddressFamily && other.Protocol is IPProtocol.Tcp or IPProtocol.Udp
            && !_crossed.Contains(other) && IsInDefaultZone(other) && IsInDefaultZone(entry))];
        if (masters.Count > 0)
            GiveMaster(entry, masters[_random.Next(masters.Count)]);
    }

    /// <summary>From now on no other entry may hide this master.</summary>
    private void GiveMaster(ConntrackEntry entry, ConntrackEntry master)
    {
        entry.MakeDetails().Master = master.Original;
        _masters.Add(master);
    }

    private static bool IsInDefaultZone(ConntrackEntry entry) =>
        entry is { Zone: 0, OriginalZone: null, ReplyZone: null };
}
