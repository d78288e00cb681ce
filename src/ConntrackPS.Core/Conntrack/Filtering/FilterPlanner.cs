using ConntrackPS.Conntrack.Wire;

namespace ConntrackPS.Conntrack.Filtering;

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
            kernel = TuplePlanner.Plan(filter, kernel, covered);
        return new FilterPlan(filter, kernel, covered, features);
    }

    /// <summary>The family that is named, or that all addresses of any one property have in common.</summary>
    private static IPFamily FamilyOf(ConntrackFilter filter)
    {
        if (filter.AddressFamily != IPFamily.Unspecified)
            return filter.AddressFamily;
        IReadOnlyList<AddressPrefix>[] properties =
        [
            filter.SourceAddress, filter.DestinationAddress, filter.ReplySourceAddress, filter.ReplyDestinationAddress,
            filter.Address, filter.TranslatedSourceAddress, filter.TranslatedDestinationAddress, filter.TranslatedAddress,
        ];
        foreach (IReadOnlyList<AddressPrefix> prefixes in properties)
        {
            if (prefixes.Count > 0 && prefixes.All(prefix => prefix.Family == prefixes[0].Family))
                return prefixes[0].Family;
        }

        return IPFamily.Unspecified;
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
