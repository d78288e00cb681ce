namespace ConntrackPS.Top.Snapshots;

/// <summary>The values of the latest snapshots of a session, for its plots. It keeps a fixed number, and forgets the oldest.</summary>
/// <param name="capacity">The number to keep.</param>
internal sealed class TopHistory(int capacity = TopHistory.Capacity)
{
    /// <summary>Half an hour with one snapshot per second.</summary>
    public const int Capacity = 1800;

    /// <summary>The number of sources that each snapshot keeps.</summary>
    public const int Sources = 8;

    private readonly TopPoint[] _points = new TopPoint[capacity];
    private int _start;

    /// <summary>The number of snapshots.</summary>
    public int Count { get; private set; }

    /// <summary>The snapshots, the oldest first.</summary>
    public TopPoint this[int index] => _points[(_start + index) % _points.Length];

    /// <summary>The entries in the table.</summary>
    public IReadOnlyList<double> Entries => Values(point => point.Entries);

    /// <summary>New entries per second. NaN if unknown.</summary>
    public IReadOnlyList<double> NewPerSecond => Values(point => point.NewPerSecond);

    /// <summary>Packets dropped and entries dropped early, per second. NaN if unknown.</summary>
    public IReadOnlyList<double> DropPerSecond => Values(point => point.DropPerSecond);

    /// <summary>Adds a snapshot.</summary>
    public void Add(TopSnapshot snapshot)
    {
        int place = (_start + Count) % _points.Length;
        if (Count < _points.Length)
            Count++;
        else
            _start = (_start + 1) % _points.Length;
        _points[place] = new TopPoint(
            snapshot.Time, snapshot.TableCount, snapshot.TableMaximum, snapshot.NewPerSecond ?? double.NaN, snapshot.DropPerSecond ?? double.NaN, snapshot.TopSources);
    }

    /// <summary>The entries of a source over time. 0 while it was not among those that were kept.</summary>
    public IReadOnlyList<double> EntriesOf(string source) =>
        Values(point => point.TopSources.FirstOrDefault(pair => pair.Key == source).Value);

    private double[] Values(Func<TopPoint, double> value)
    {
        double[] values = new double[Count];
        for (int i = 0; i < values.Length; i++)
            values[i] = value(this[i]);
        return values;
    }
}

/// <summary>The values of one snapshot.</summary>
/// <param name="Time">Its time, local time.</param>
/// <param name="Entries">The entries in the table.</param>
/// <param name="Maximum">The maximum of entries. 0 if unknown.</param>
/// <param name="NewPerSecond">New entries per second, or NaN.</param>
/// <param name="DropPerSecond">Losses per second, or NaN.</param>
/// <param name="TopSources">The sources with the most entries.</param>
internal readonly record struct TopPoint(
    DateTime Time, long Entries, long Maximum, double NewPerSecond, double DropPerSecond, IReadOnlyList<KeyValuePair<string, long>> TopSources);
