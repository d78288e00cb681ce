using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;

namespace ConntrackPS.Pipeline;

/// <summary>One finder for each network namespace that objects of a pipeline come from.</summary>
internal sealed class EntryFinders : IDisposable
{
    private readonly Dictionary<string, EntryFinder> _finders = [];

    /// <summary>The finder of a namespace; null names the caller's own.</summary>
    public EntryFinder In(string? networkNamespace)
    {
        if (!_finders.TryGetValue(networkNamespace ?? "", out EntryFinder? finder))
        {
            ConntrackTable table = new(networkNamespace is null ? null : NetworkNamespace.Parse(networkNamespace));
            _finders.Add(networkNamespace ?? "", finder = table.CreateFinder());
        }

        return finder;
    }

    public void Dispose()
    {
        foreach (EntryFinder finder in _finders.Values)
            finder.Dispose();
        _finders.Clear();
    }
}
