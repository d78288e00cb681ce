namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Compares the library's entries with the output of another tool shortly before or after.</summary>
internal static class FlowComparison
{
    /// <summary>The seconds that may pass between the two readings on a busy machine.</summary>
    private const int Tolerance = 30;

    private const int MostShown = 10;

    /// <param name="read">The library's entries.</param>
    /// <param name="shown">The tool's output.</param>
    /// <param name="view">Removes the values that the tool can't show.</param>
    /// <param name="key">Identifies the same flow on both sides.</param>
    public static void AssertSame(
        IEnumerable<FlowRecord> read, IEnumerable<FlowRecord> shown, Func<FlowRecord, FlowRecord> view, Func<FlowRecord, object> key)
    {
        Dictionary<object, FlowRecord> expected = shown.ToDictionary(key);
        List<string> differences = [];
        int count = 0;
        foreach (FlowRecord flow in read.Select(view))
        {
            count++;
            if (!expected.TryGetValue(key(flow), out FlowRecord? other))
                differences.Add($"not shown: {flow}");
            else if (Steady(flow) != Steady(other) || !IsNear(flow.Timeout, other.Timeout) || !IsNear(flow.Age, other.Age))
                differences.Add($"read {flow}\n  but shown {other}");
        }

        if (count != expected.Count)
            differences.Add($"{count} flows were read, and {expected.Count} shown");
        Assert.True(differences.Count == 0, string.Join('\n', differences.Take(MostShown)));
    }

    /// <summary>The id with the addresses, because an id is a hash and two entries may have the same.</summary>
    public static object ById(FlowRecord flow) => (flow.Id, flow.Original.Source, flow.Original.Destination);

    /// <summary>All values of the kernel's key.</summary>
    public static object ByTuple(FlowRecord flow) =>
        (flow.Family, flow.Protocol, flow.Zone, Uncounted(flow.Original), Uncounted(flow.Reply));

    private static FlowDirection Uncounted(FlowDirection direction) => direction with { Packets = null, Bytes = null };

    private static FlowRecord Steady(FlowRecord flow) => flow with { Timeout = null, Age = null };

    private static bool IsNear(long? left, long? right) =>
        left is null == right is null && Math.Abs((left ?? 0) - (right ?? 0)) <= Tolerance;
}
