using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;

namespace ConntrackPS.Pipeline;

/// <summary>One worker for each network namespace of the objects in a pipeline.</summary>
/// <param name="create">Creates the worker for the table of a namespace.</param>
/// <typeparam name="T">The worker: it holds a socket in the namespace.</typeparam>
internal sealed class PerNamespace<T>(Func<ConntrackTable, T> create) : IDisposable
    where T : IDisposable
{
    private readonly Dictionary<string, T> _workers = [];

    /// <summary>All workers so far.</summary>
    public IReadOnlyCollection<T> All => _workers.Values;

    /// <summary>The worker of a namespace; null is the caller's own.</summary>
    public T In(string? networkNamespace)
    {
        if (!_workers.TryGetValue(networkNamespace ?? "", out T? worker))
        {
            worker = create(new ConntrackTable(NetworkNamespace.ParseOrOwn(networkNamespace)));
            _workers.Add(networkNamespace ?? "", worker);
        }

        return worker;
    }

    public void Dispose()
    {
        foreach (T worker in _workers.Values)
            worker.Dispose();
        _workers.Clear();
    }
}

/// <summary>Collects values of a pipeline by network namespace.</summary>
/// <typeparam name="T">The type of the values.</typeparam>
internal sealed class ByNamespace<T>
{
    private readonly Dictionary<string, List<T>> _items = [];

    public bool IsEmpty => _items.Count == 0;

    /// <summary>The namespaces so far, null for the caller's own, each with its values.</summary>
    public IEnumerable<(string? NetworkNamespace, IReadOnlyList<T> Items)> All =>
        _items.Select(pair => (pair.Key.Length == 0 ? null : pair.Key, (IReadOnlyList<T>)pair.Value));

    public void Add(string? networkNamespace, T item)
    {
        string name = networkNamespace ?? "";
        if (!_items.TryGetValue(name, out List<T>? items))
            _items.Add(name, items = []);
        items.Add(item);
    }
}

/// <summary>Collects the entries of a pipeline by network namespace.</summary>
internal sealed class EntriesByNamespace : IDisposable
{
    private readonly PerNamespace<EntryFinder> _finders = new(table => table.CreateFinder());
    private readonly ByNamespace<ConntrackEntry> _entries = new();

    /// <summary>The namespaces so far, null for the caller's own, and their entries.</summary>
    public IEnumerable<(string? NetworkNamespace, IReadOnlyList<ConntrackEntry> Entries)> All => _entries.All;

    /// <summary>The entry of an object. If the object has only the reply tuple, the entry is read from the kernel, because the reply tuple
    /// does not say how the flow is translated.</summary>
    /// <param name="input">The object.</param>
    /// <param name="key">The key that the object names.</param>
    /// <param name="networkNamespace">The namespace of the entry; null for the caller's own.</param>
    /// <returns>Null if the object has only the reply tuple and no entry has it.</returns>
    public ConntrackEntry? Read(PSObject input, in EntryKey key, string? networkNamespace) =>
        key.IsByReply ? _finders.In(networkNamespace).Find(key) : EntryFromProperties.Read(input);

    public void Add(string? networkNamespace, ConntrackEntry entry) => _entries.Add(networkNamespace, entry);

    public void Dispose() => _finders.Dispose();
}

/// <summary>An entry of the pipeline and its place in it.</summary>
/// <param name="Number">The number, from 1; 0 for an entry from parameters.</param>
/// <param name="Entry">The entry.</param>
/// <param name="HasDefaultTimeout">True if no timeout was given. An existing entry then keeps its own.</param>
internal sealed record NumberedEntry(long Number, ConntrackEntry Entry, bool HasDefaultTimeout);
