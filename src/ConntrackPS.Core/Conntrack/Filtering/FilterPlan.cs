using ConntrackPS.Conntrack.Wire;

namespace ConntrackPS.Conntrack.Filtering;

/// <summary>How a filter is carried out: what the kernel is asked, and what is left to check here.</summary>
/// <param name="Filter">The whole filter. Every entry is checked against it, whatever the kernel has done.</param>
/// <param name="Kernel">The kernel's share.</param>
/// <param name="Covered">The filter's properties that the kernel's share covers completely.</param>
/// <param name="Features">What the planner was allowed to ask.</param>
internal sealed record FilterPlan(
    ConntrackFilter Filter, KernelFilter Kernel, IReadOnlySet<string> Covered, KernelFeatures Features)
{
    /// <summary>The same filter with all work done here, for a kernel that refuses its share.</summary>
    public FilterPlan WithoutKernel() => FilterPlanner.Plan(Filter, KernelFeatures.None);

    /// <summary>True where the kernel's share is the whole filter, so that one deletion can carry it out.</summary>
    public bool AllowsFlush =>
        Features.HasFlag(KernelFeatures.FilteredFlush) && Filter.NamesEntries && Filter.Terms.All(term => Covered.Contains(term.Property));

    /// <summary>The plan for people: <c>kernel: source address 10.0.0.1; here: state SynSent</c>.</summary>
    public override string ToString()
    {
        string kernel = Describe(term => Covered.Contains(term.Property)), here = Describe(term => !Covered.Contains(term.Property));
        return Filter.IsEmpty ? "kernel: everything" : $"kernel: {kernel}; here: {here}";
    }

    private string Describe(Func<FilterTerm, bool> which)
    {
        string text = string.Join(" and ", Filter.Terms.Where(which).Select(term => term.Description));
        return text.Length == 0 ? "nothing" : text;
    }
}
