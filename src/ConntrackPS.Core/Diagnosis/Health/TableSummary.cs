using System.Runtime.InteropServices;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Walk;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>The sums over the table's entries that the rules need, from one pass.</summary>
/// <param name="establishedSeconds">The timeout of established TCP connections, in seconds.</param>
/// <param name="shortenedSeconds">Their timeout while data is unacknowledged, in seconds.</param>
internal sealed class TableSummary(long establishedSeconds, long shortenedSeconds)
{
    /// <summary>An established connection is idle after this time, in seconds. It is longer than the keep-alive interval of hosts (RFC
    /// 1122, 2 h).</summary>
    public const uint IdleSeconds = 7440;

    private readonly SortedDictionary<string, int> _helpers = new(StringComparer.Ordinal);

    /// <summary>The timeout of established TCP connections, in seconds.</summary>
    public long EstablishedSeconds { get; } = establishedSeconds;

    /// <summary>The timeout of established TCP connections while data is unacknowledged (Retrans, Unacknowledged), in seconds. The rest of
    /// this timeout does not show how long they have been idle.</summary>
    public long ShortenedSeconds { get; } = shortenedSeconds;

    /// <summary>The number of entries.</summary>
    public int Count { get; set; }

    /// <summary>Established TCP connections.</summary>
    public int Established { get; set; }

    /// <summary>Established TCP connections without a packet for longer than <see cref="IdleSeconds"/>.</summary>
    public int IdleEstablished { get; set; }

    /// <summary>TCP connections in their handshake.</summary>
    public int HalfOpen { get; set; }

    /// <summary>Entries without a reply, except TCP handshakes.</summary>
    public int Unreplied { get; set; }

    /// <summary>Entries by source.</summary>
    public SourceCounter Sources { get; } = new();

    /// <summary>Half-open connections by source.</summary>
    public SourceCounter HalfOpenSources { get; } = new();

    /// <summary>Unreplied entries by source.</summary>
    public SourceCounter UnrepliedSources { get; } = new();

    /// <summary>Entries by helper.</summary>
    public IDictionary<string, int> Helpers => _helpers;

    /// <summary>Adds an entry to the sums.</summary>
    public void Add(ConntrackEntry entry)
    {
        Count++;
        ref readonly ConntrackTuple original = ref entry.Original;
        Sources.Add(original.Family, original.Source);
        if (entry.Details?.Helper is { } helper)
            _helpers[helper] = _helpers.GetValueOrDefault(helper) + 1;
        if (original.Protocol == IPProtocol.Tcp && entry.Data.State is ConntrackState.SynSent or ConntrackState.SynRecv or ConntrackState.SynSent2)
        {
            HalfOpen++;
            HalfOpenSources.Add(original.Family, original.Source);
        }
        else if ((entry.Status & ConntrackStatus.SeenReply) == 0)
        {
            Unreplied++;
            UnrepliedSources.Add(original.Family, original.Source);
        }

        if (original.Protocol == IPProtocol.Tcp && entry.Data.State == ConntrackState.Established)
        {
            Established++;
            if (entry.Data.Timeout > ShortenedSeconds && EstablishedSeconds - entry.Data.Timeout > IdleSeconds)
                IdleEstablished++;
        }
    }
}

/// <summary>Adds up the entries of one pass over the table.</summary>
/// <param name="establishedSeconds">As in <see cref="TableSummary"/>.</param>
/// <param name="shortenedSeconds">As in <see cref="TableSummary"/>.</param>
/// <param name="listener">Receives each entry too.</param>
internal sealed class SummarySink(long establishedSeconds, long shortenedSeconds, IEntryListener? listener) : IEntrySink
{
    private readonly ConntrackEntry _entry = new();

    public TableSummary Summary { get; private set; } = new(establishedSeconds, shortenedSeconds);

    public EntryParts Parts => EntryParts.Helper;

    public bool TakesInterrupted => false;

    public ConntrackEntry NextEntry()
    {
        _entry.Reset();
        return _entry;
    }

    public void Take(ConntrackEntry entry)
    {
        Summary.Add(entry);
        listener?.Take(entry);
    }

    public void Restart()
    {
        Summary = new TableSummary(establishedSeconds, shortenedSeconds);
        listener?.Restart();
    }
}

/// <summary>Receives the entries that a health check reads: their tuples, states and helpers.</summary>
internal interface IEntryListener
{
    /// <summary>Receives an entry. The object is reused for the next one.</summary>
    void Take(ConntrackEntry entry);

    /// <summary>The table is read again from its beginning.</summary>
    void Restart();
}

/// <summary>Counts entries by source address.</summary>
internal sealed class SourceCounter
{
    private readonly Dictionary<(IPFamily Family, AddressBits Address), int> _counts = [];

    /// <summary>Counts one entry, or several.</summary>
    public void Add(IPFamily family, AddressBits address, int count = 1) =>
        CollectionsMarshal.GetValueRefOrAddDefault(_counts, (family, address), out _) += count;

    /// <summary>The sources with the most entries, largest first.</summary>
    public IReadOnlyList<SourceCount> Top(int count)
    {
        // One pass with a short list: a flood with forged sources has a million sources.
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

/// <summary>The number of entries of a source address.</summary>
/// <param name="Family">The address's family.</param>
/// <param name="Address">The address.</param>
/// <param name="Count">The number of entries.</param>
internal readonly record struct SourceCount(IPFamily Family, AddressBits Address, int Count)
{
    /// <summary>The address as text.</summary>
    public string Text => Address.ToString(Family);
}
