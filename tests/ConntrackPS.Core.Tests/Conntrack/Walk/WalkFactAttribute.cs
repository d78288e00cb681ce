using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Linux;

namespace ConntrackPS.Tests.Conntrack.Walk;

/// <summary>A test that walks the table in the kernel. It is skipped, with the reason, where that is impossible.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class WalkFactAttribute : FactAttribute
{
    public WalkFactAttribute() => Skip = WhyNot;

    public static string? WhyNot { get; } = (Record.Exception(() => WalkEnvironment.Running) as WalkUnavailableException)?.Message;
}

/// <summary>As <see cref="WalkFactAttribute"/>, for several cases.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class WalkTheoryAttribute : TheoryAttribute
{
    public WalkTheoryAttribute() => Skip = WalkFactAttribute.WhyNot;
}

/// <summary>Reads all entries by a walk into a list.</summary>
internal sealed class WalkList : IEntrySink
{
    private ConntrackEntry? _next;

    public List<ConntrackEntry> Entries { get; } = [];

    public EntryParts Parts { get; init; } = EntryParts.Walkable;

    public bool TakesInterrupted => false;

    public static List<ConntrackEntry> Read(
        NetworkNamespace networkNamespace, ConntrackFilter? filter = null, WalkAccess access = WalkAccess.Preemptible, EntryParts parts = EntryParts.Walkable, ScanTerms? terms = null)
    {
        WalkList list = new() { Parts = parts };
        using EntryWalk walk = new(
            networkNamespace, filter, list, parts | TableEngines.PartsOf(filter), terms, WalkEnvironment.Running with { FirstAccess = access });
        while (walk.Read())
        {
        }

        return list.Entries;
    }

    public ConntrackEntry NextEntry() => _next ??= new ConntrackEntry();

    public void Take(ConntrackEntry entry)
    {
        Entries.Add(entry);
        _next = null;
    }

    public void Restart() => Entries.Clear();
}
