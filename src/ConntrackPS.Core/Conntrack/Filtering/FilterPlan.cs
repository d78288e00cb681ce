using ConntrackPS.Conntrack.Wire;

namespace ConntrackPS.Conntrack.Filtering;

/// <summary>The execution plan of a filter: the part that the kernel checks, and the rest.</summary>
/// <param name="Filter">The whole filter. Every entry is checked against it, whatever the kernel has done.</param>
/// <param name="Kernel">The part for the kernel.</param>
/// <param name="Covered">The properties that the kernel's part covers completely.</param>
/// <param name="Features">The kernel features that the planner was allowed to use.</param>
internal sealed record FilterPlan(
    ConntrackFilter Filter, KernelFilter Kernel, IReadOnlySet<string> Covered, KernelFeatures Features)
{
    /// <summary>The same filter without the kernel's part, for a kernel that refuses it.</summary>
    public FilterPlan WithoutKernel() => FilterPlanner.Plan(Filter, KernelFeatures.None);

    /// <summary>True if the kernel's part is the whole filter, so that one deletion request is enough.</summary>
    public bool AllowsFlush =>
        Features.HasFlag(KernelFeatures.FilteredFlush) && Filter.NamesEntries && Filter.Terms.All(term => Covered.Contains(term.Property));

    /// <summary>The plan as text: <c>kernel: source address 10.0.0.1; here: state SynSent</c>.</summary>
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

/// <summary>The kernel features that the planner may use. Usually all: if a kernel ignores or refuses a feature, the result is the same,
/// only slower. Tests use fewer to simulate older kernels.</summary>
[Flags]
internal enum KernelFeatures
{
    None = 0,

    /// <summary>nfgen_family filters in a dump (4.20).</summary>
    Family = 1 << 0,

    /// <summary>CTA_MARK with CTA_MARK_MASK filters (3.x).</summary>
    Mark = 1 << 1,

    /// <summary>CTA_FILTER filters by tuple in a dump (5.8).</summary>
    Tuple = 1 << 2,

    /// <summary>CTA_STATUS with CTA_STATUS_MASK filters (5.15).</summary>
    Status = 1 << 3,

    /// <summary>CTA_ZONE filters (6.8).</summary>
    Zone = 1 << 4,

    /// <summary>CTA_FILTER filters in a deletion too (6.12).</summary>
    FilteredFlush = 1 << 5,

    All = Family | Mark | Tuple | Status | Zone | FilteredFlush,
}

/// <summary>Sends only those parts of a filter to the kernel that it is known to apply correctly.</summary>
/// <remarks>Never sent: IPv6 addresses, ports of protocols other than TCP and UDP, tuple fields without a family, masks without values. The
/// kernel has no filter for lists, prefixes, ranges, state, labels, helpers and timeouts.</remarks>
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
            // The kernel matches a zone of either direction or of both. This is necessary for a match, but not sufficient, so it covers no
            // property.
            kernel = kernel with { Zone = filter.OriginalZone is [ushort original] ? original : filter.ReplyZone[0] };
        }

        if (features.HasFlag(KernelFeatures.Tuple) && kernel.Family != IPFamily.Unspecified)
            kernel = WithTuples(filter, kernel, covered);
        return new FilterPlan(filter, kernel, covered, features);
    }

    /// <summary>The family of the filter, or the one that all addresses of some property have in common.</summary>
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

    /// <summary>The part for tuples. The family is known here, which the kernel requires.</summary>
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
                // Necessary for a match, but not sufficient, because the entry must also be translated. So it covers no property, and a
                // field that does takes precedence.
                tuple = tuple.Fields.HasFlag(field) ? tuple : tuple.With(field, value);
                continue;
            }

            // The kernel compares ports only together with the protocol.
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

        // A contradictory filter matches nothing here, so it is not sent to the kernel.
        if ((set | clear) == ConntrackStatus.None || (set & clear) != ConntrackStatus.None)
            return null;
        covered.UnionWith([nameof(filter.Status), nameof(filter.ExcludeStatus), nameof(filter.Unreplied)]);
        return (set, set | clear);
    }
}
