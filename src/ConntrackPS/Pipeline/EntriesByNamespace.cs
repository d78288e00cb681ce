using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Pipeline;

/// <summary>Entries of a pipeline, collected by the network namespace they are in.</summary>
internal sealed class EntriesByNamespace : IDisposable
{
    private readonly PerNamespace<EntryFinder> _finders = new(table => table.CreateFinder());
    private readonly Dictionary<string, List<ConntrackEntry>> _entries = [];

    /// <summary>The namespaces so far, null for the caller's own, and their entries.</summary>
    public IEnumerable<(string? NetworkNamespace, IReadOnlyList<ConntrackEntry> Entries)> All =>
        _entries.Select(pair => (pair.Key.Length == 0 ? null : pair.Key, (IReadOnlyList<ConntrackEntry>)pair.Value));

    /// <summary>The entry that an object stands for. The reply alone does not tell how the flow is translated, and so not what its
    /// packets look like: the kernel is asked for it.</summary>
    /// <param name="input">The object.</param>
    /// <param name="key">What it names.</param>
    /// <param name="networkNamespace">Where the entry is; null for the caller's own.</param>
    /// <returns>Null where only a reply is named, and no entry has it.</returns>
    public ConntrackEntry? Read(PSObject input, in EntryKey key, string? networkNamespace) =>
        key.IsByReply ? _finders.In(networkNamespace).Find(key) : EntryFromProperties.Read(input);

    public void Add(string? networkNamespace, ConntrackEntry entry)
    {
        string name = networkNamespace ?? "";
        if (!_entries.TryGetValue(name, out List<ConntrackEntry>? entries))
            _entries.Add(name, entries = []);
        entries.Add(entry);
    }

    public void Dispose() => _finders.Dispose();
}
