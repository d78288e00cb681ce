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

/// <summary>What the planner may ask of the kernel. All of it, usually: a kernel that ignores or refuses something
/// gives the same answer, only slower. Less for tests, which play older kernels.</summary>
[Flags]
internal enum KernelFeatures
{
    None = 0,

    /// <summary>nfgen_family selects in a dump (4.20).</summary>
    Family = 1 << 0,

    /// <summary>CTA_MARK with CTA_MARK_MASK selects (3.x).</summary>
    Mark = 1 << 1,

    /// <summary>CTA_FILTER selects by tuple in a dump (5.8).</summary>
    Tuple = 1 << 2,

    /// <summary>CTA_STATUS with CTA_STATUS_MASK selects (5.15).</summary>
    Status = 1 << 3,

    /// <summary>CTA_ZONE selects (6.8).</summary>
    Zone = 1 << 4,

    /// <summary>CTA_FILTER selects in a deletion too (6.12).</summary>
    FilteredFlush = 1 << 5,

    All = Family | Mark | Tuple | Status | Zone | FilteredFlush,
}

/// <summary>Gives the kernel as much of a filter as it is known to do right, and no more.</summary>
/// <remarks>Never sent: IPv6 addresses, ports of other protocols than TCP and UDP, tuple fields without a family, masks
/// without values. Lists, prefixes, ranges, state, labels, helpers and timeouts are beyond the kernel.</remarks>
internal static class FilterPlanner
{
    public static FilterPlan Plan(ConntrackFilter filter, KernelFeatures features = KernelFeatures.All)
    {
        HashSet<string> covered = [];
        KernelFilter kernel = new() { Family = features.HasFlag(KernelFeatures.Family) ? FamilyOf(filter) : IPFamily.Unspecified };
        if (kernel.Family != IPFamily.Unspecified)
            covered.Add(nameof(filter.AddressFamily));
        if (features.HasFlag(KernelFeatures.Mark) && filter.Mark is [{ Mask: not 0 } mark])
        {
            kernel = kernel with { Mark = (mark.Value, mark.Mask) };
            covered.Add(nameof(filter.Mark));
        }

        if (features.HasFlag(KernelFeatures.Status))
            kernel = kernel with { Status = StatusOf(filter, covered) };
        if (features.HasFlag(KernelFeatures.Zone) && filter.Zone is [ushort zone])
        {
            kernel = kernel with { Zone = zone };
            covered.Add(nameof(filter.Zone));
        }
        else if (features.HasFlag(KernelFeatures.Zone) && filter.Zone.Count == 0 && (filter.OriginalZone is [ushort] || filter.ReplyZone is [ushort]))
        {
            // The kernel takes a zone for that of either direction or of both. Necessary, but not enough: so this covers nothing.
            kernel = kernel with { Zone = filter.OriginalZone is [ushort original] ? original : filter.ReplyZone[0] };
        }

        if (features.HasFlag(KernelFeatures.Tuple) && kernel.Family != IPFamily.Unspecified)
            kernel = WithTuples(filter, kernel, covered);
        return new FilterPlan(filter, kernel, covered, features);
    }

    /// <summary>The family that is named, or that all addresses of any one property have in common.</summary>
    private static IPFamily FamilyOf(ConntrackFilter filter)
    {
        if (filter.AddressFamily != IPFamily.Unspecified)
            return filter.AddressFamily;
        foreach (IReadOnlyList<AddressPrefix> prefixes in TupleProperties.Addresses.Select(property => property.Of(filter)))
        {
            if (prefixes.Count > 0 && prefixes.All(prefix => prefix.Family == prefixes[0].Family))
                return prefixes[0].Family;
        }

        return IPFamily.Unspecified;
    }

    /// <summary>The part that concerns tuples. The family is known here, as the kernel wants it.</summary>
    private static KernelFilter WithTuples(ConntrackFilter filter, KernelFilter kernel, HashSet<string> covered)
    {
        TupleFilter original = TupleFilter.None, reply = TupleFilter.None;
        IPProtocol? protocol = filter.Protocol is [IPProtocol only] ? only : null;
        if (protocol is { } number)
        {
            original = original.With(TupleFields.Protocol, (uint)number);
            covered.Add(nameof(filter.Protocol));
        }

        foreach (TupleProperty property in TupleProperties.All)
        {
            if (property.ToKernel(filter, kernel.Family, protocol) is not var (field, value))
                continue;
            ref TupleFilter tuple = ref (property.Places & TuplePlaces.Original) != 0 ? ref original : ref reply;
            if (property.IsTranslated)
            {
                // Necessary for a match, but not enough: the entry must be translated too. So this covers nothing, and gives way to
                // what does.
                tuple = tuple.Fields.HasFlag(field) ? tuple : tuple.With(field, value);
                continue;
            }

            // The kernel compares ports only beside the protocol.
            tuple = (field & TupleFields.Ports) == 0 ? tuple : tuple.With(TupleFields.Protocol, (uint)protocol!.Value);
            tuple = tuple.With(field, value);
            covered.Add(property.Name);
        }

        return kernel with { Original = original, Reply = reply };
    }

    private static (ConntrackStatus Value, ConntrackStatus Mask)? StatusOf(ConntrackFilter filter, HashSet<string> covered)
    {
        ConntrackStatus set = filter.Status ?? ConntrackStatus.None;
        ConntrackStatus clear = (filter.ExcludeStatus ?? ConntrackStatus.None) | (filter.Unreplied ? ConntrackStatus.SeenReply : ConntrackStatus.None);

        // A contradiction matches nothing here; what the kernel would make of it is not worth knowing.
        if ((set | clear) == ConntrackStatus.None || (set & clear) != ConntrackStatus.None)
            return null;
        covered.UnionWith([nameof(filter.Status), nameof(filter.ExcludeStatus), nameof(filter.Unreplied)]);
        return (set, set | clear);
    }
}
