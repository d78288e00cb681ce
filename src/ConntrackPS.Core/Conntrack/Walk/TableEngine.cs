using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Walk;

/// <summary>The way in which a table is read.</summary>
public enum TableEngine
{
    /// <summary>The walk in the kernel, if the table is so large that it pays and the kernel and the process can; otherwise netlink.</summary>
    Auto,

    /// <summary>A dump by netlink, which the kernel fills entry by entry.</summary>
    Netlink,

    /// <summary>A BPF program that follows the chains of the hash table in the kernel. It is an error if that is not possible.</summary>
    Bpf,
}

/// <summary>Decides how a table is read.</summary>
internal static class TableEngines
{
    /// <summary>From this number of entries on, the walk pays: to prepare it takes as long as netlink needs for 30,000.</summary>
    public const uint LeastEntries = 100_000;

    /// <summary>More candidates than this share of the entries are not fetched one by one: a dump is faster then.</summary>
    public const int CandidateShare = 4;

    /// <summary>Starts a pass over the matching entries, by a walk if that is right and possible.</summary>
    /// <param name="engine">The engine that was asked for.</param>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <param name="filter">The filter, or null for all entries.</param>
    /// <param name="sink">Receives the entries.</param>
    /// <param name="terms">The environment of the scan.</param>
    /// <param name="byNetlink">Starts a dump.</param>
    /// <param name="tell">Receives why it is netlink, or that it is not.</param>
    /// <exception cref="WalkUnavailableException">Bpf was asked for, and is not possible.</exception>
    public static IEntryScan Scan(
        TableEngine engine, NetworkNamespace? networkNamespace, ConntrackFilter? filter, IEntrySink sink, ScanTerms terms, Func<IEntryScan> byNetlink, Action<string> tell)
    {
        if (engine == TableEngine.Netlink || (engine == TableEngine.Auto && IsSmall(networkNamespace, terms)))
            return byNetlink();
        try
        {
            EntryParts parts = sink.Parts | PartsOf(filter);
            if (WhyNot(engine, parts) is not { } reason)
            {
                EntryWalk walk = new(networkNamespace, filter, sink, parts, terms);
                tell("The table is walked in the kernel.");
                return engine == TableEngine.Bpf ? walk : new WalkOrDump(walk, sink, byNetlink, tell);
            }

            tell(ByNetlink(reason));
        }
        catch (WalkUnavailableException exception) when (engine == TableEngine.Auto)
        {
            tell(ByNetlink(exception.Reason));
        }

        return byNetlink();
    }

    /// <summary>Starts one walk over the matching entries of several network namespaces.</summary>
    /// <returns>Null if each is to be read by itself.</returns>
    /// <exception cref="WalkUnavailableException">Bpf was asked for, and is not possible.</exception>
    public static EntryWalk? Together(TableEngine engine, WalkTarget[] targets, ConntrackFilter? filter, Action<string> tell)
    {
        EntryParts parts = targets.Aggregate(PartsOf(filter), (all, target) => all | target.Sink.Parts);
        if (engine == TableEngine.Netlink || (parts & ~EntryParts.Walkable) != 0 || (parts & EntryParts.Id) != 0)
            return null;
        if (engine == TableEngine.Auto && TableCount.ReadAll([.. targets.Select(target => target.NetworkNamespace).OfType<NetworkNamespace>()]).Sum(count => count ?? 0) < LeastEntries)
            return null;
        try
        {
            EntryWalk walk = new(targets, filter, parts);
            tell("The tables are walked in the kernel, all at once.");
            return walk;
        }
        catch (WalkUnavailableException exception) when (engine == TableEngine.Auto)
        {
            tell(ByNetlink(exception.Reason));
            return null;
        }
    }

    /// <summary>Reads matching entries: a walk finds them, and netlink fetches each.</summary>
    /// <returns>Null if a dump is better or the only way.</returns>
    /// <exception cref="WalkUnavailableException">Bpf was asked for, and is not possible.</exception>
    public static IEntryReader? Candidates(TableEngine engine, NetworkNamespace? networkNamespace, FilterPlan plan, ScanTerms terms, Func<IEntryReader> byNetlink, Action<string> tell)
    {
        // Without a condition that only a walk can check, the kernel's dump is as fast.
        if (engine == TableEngine.Auto && (plan.Filter.Terms.All(term => plan.Covered.Contains(term.Property)) || IsSmall(networkNamespace, terms)))
            return null;
        try
        {
            EntryParts parts = CandidateReader.PartsFor(plan.Filter);
            if (WhyNot(engine, parts) is { } reason)
            {
                tell(ByNetlink(reason));
                return null;
            }

            if (!new WalkFilter(plan.Filter, WalkEnvironment.Running).IsSelective)
            {
                tell(ByNetlink("a walk can't check any of the filter's conditions"));
                return null;
            }

            return new CandidateReader(engine, networkNamespace, plan.Filter, parts, terms, byNetlink, tell);
        }
        catch (WalkUnavailableException exception) when (engine == TableEngine.Auto)
        {
            tell(ByNetlink(exception.Reason));
            return null;
        }
    }

    /// <summary>The parts that a filter looks at.</summary>
    public static EntryParts PartsOf(ConntrackFilter? filter) => filter is null ? EntryParts.None : WalkFilter.PartsOf(filter);

    public static string ByNetlink(string reason) => $"The table is read by netlink: {reason}.";

    /// <returns>The reason for netlink, or null for a walk.</returns>
    private static string? WhyNot(TableEngine engine, EntryParts parts)
    {
        const string Reason = "only netlink has a value that is asked for";
        if ((parts & ~EntryParts.Walkable) == 0)
            return null;
        return engine == TableEngine.Bpf ? throw new WalkUnavailableException(Reason) : Reason;
    }

    private static bool IsSmall(NetworkNamespace? networkNamespace, ScanTerms terms)
    {
        using NetlinkConnection connection = terms.Open(networkNamespace);
        return terms.ReadCount(connection) is not { } count || count < LeastEntries;
    }
}

/// <summary>A walk that becomes a dump if it fails.</summary>
internal sealed class WalkOrDump(EntryWalk walk, IEntrySink sink, Func<IEntryScan> byNetlink, Action<string> tell) : IEntryScan
{
    private volatile IEntryScan _scan = walk;
    private volatile bool _cancelled;

    public int Repeats => walk.Repeats + (ReferenceEquals(_scan, walk) ? 0 : _scan.Repeats);

    public bool Read()
    {
        try
        {
            return _scan.Read();
        }
        catch (WalkUnavailableException exception)
        {
            tell(TableEngines.ByNetlink(exception.Reason));
            sink.Restart();
            walk.Dispose();
            _scan = byNetlink();
            if (_cancelled)
                _scan.Cancel();
            return true;
        }
    }

    public void Cancel()
    {
        _cancelled = true;
        _scan.Cancel();
    }

    public void Dispose() => _scan.Dispose();
}
