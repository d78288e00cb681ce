using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Top.Control;

/// <summary>Which entries a live view shows.</summary>
internal sealed record TopFilter
{
    // The same object as long as nothing changes, by which a reader knows that rates go on.
    private readonly Lazy<ConntrackFilter> _combined;

    public TopFilter() => _combined = new Lazy<ConntrackFilter>(Combine);

    // A copy has its own: "with" would take that of the original along.
    private TopFilter(TopFilter original)
    {
        (Text, Asked, IsInverted, SkipsLoopback, SkipsDns) =
            (original.Text, original.Asked, original.IsInverted, original.SkipsLoopback, original.SkipsDns);
        _combined = new Lazy<ConntrackFilter>(Combine);
    }

    /// <summary>What was typed, for the prompt to begin with.</summary>
    public string Text { get; init; } = "";

    /// <summary>What it means.</summary>
    public ConntrackFilter Asked { get; init; } = new();

    /// <summary>Show the others instead.</summary>
    public bool IsInverted { get; init; }

    /// <summary>Leave out what goes over the loopback.</summary>
    public bool SkipsLoopback { get; init; }

    /// <summary>Leave out queries to name servers, of which looking names up makes ever more.</summary>
    public bool SkipsDns { get; init; }

    /// <summary>True where not all entries are shown.</summary>
    public bool IsActive => !Asked.IsEmpty || SkipsLoopback || SkipsDns;

    /// <summary>All of it in one.</summary>
    public ConntrackFilter Combined => _combined.Value;

    private ConntrackFilter Combine()
    {
        ConntrackFilter asked = Asked;
        bool isInverted = IsInverted && !asked.IsEmpty;
        List<FilterTerm> conditions = isInverted ? [] : [.. asked.Conditions];
        if (isInverted)
            conditions.Add(new FilterTerm(nameof(ConntrackFilter.Conditions), $"not ({asked})", entry => !asked.Matches(entry)));
        if (SkipsLoopback)
            conditions.Add(new FilterTerm(nameof(SkipsLoopback), "no loopback address", entry => !IsLoopback(entry)));
        if (SkipsDns)
            conditions.Add(new FilterTerm(nameof(SkipsDns), "no query to a name server", entry => entry.DestinationPort != 53));
        return (isInverted ? new ConntrackFilter() : asked) with { Conditions = conditions };
    }

    private static bool IsLoopback(ConntrackEntry entry) =>
        IsLoopback(entry.Original.Family, entry.Original.Source) || IsLoopback(entry.Original.Family, entry.Original.Destination);

    private static bool IsLoopback(IPFamily family, AddressBits address) =>
        family == IPFamily.IPv6 ? address == new AddressBits(0, 1) : (byte)(address.Low >> 24) == 127;
}
