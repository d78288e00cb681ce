using ConntrackPS.Conntrack;

namespace ConntrackPS.Pipeline;

/// <summary>Entries of a pipeline, collected by the network namespace they are in.</summary>
internal sealed class EntriesByNamespace
{
    private readonly Dictionary<string, List<ConntrackEntry>> _entries = [];

    /// <summary>The namespaces so far, null for the caller's own, and their entries.</summary>
    public IEnumerable<(string? NetworkNamespace, IReadOnlyList<ConntrackEntry> Entries)> All =>
        _entries.Select(pair => (pair.Key.Length == 0 ? null : pair.Key, (IReadOnlyList<ConntrackEntry>)pair.Value));

    public void Add(string? networkNamespace, ConntrackEntry entry)
    {
        string name = networkNamespace ?? "";
        if (!_entries.TryGetValue(name, out List<ConntrackEntry>? entries))
            _entries.Add(name, entries = []);
        entries.Add(entry);
    }
}
