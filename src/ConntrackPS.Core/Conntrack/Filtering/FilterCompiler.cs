using System.Globalization;
using static ConntrackPS.Conntrack.Filtering.FilterTerms;

namespace ConntrackPS.Conntrack.Filtering;

/// <summary>Turns a filter's properties into the conditions that are checked on each entry.</summary>
internal static class FilterCompiler
{
    /// <exception cref="ArgumentException">A property is set to a value that could not mean anything.</exception>
    public static IEnumerable<FilterTerm> Compile(ConntrackFilter filter)
    {
        RejectEmptyBits(filter.Status, nameof(filter.Status));
        RejectEmptyBits(filter.ExcludeStatus, nameof(filter.ExcludeStatus));
        return [.. Tuples(filter), .. Translations(filter), .. StatusTerms(filter), .. Marks(filter), .. Amounts(filter), .. filter.Conditions];
    }

    private static IEnumerable<FilterTerm> Tuples(ConntrackFilter filter) => Given(
    [
        filter.AddressFamily == IPFamily.Unspecified
            ? null
            : new FilterTerm(nameof(filter.AddressFamily), $"address family {filter.AddressFamily}", entry => entry.AddressFamily == filter.AddressFamily),
        OneOf(nameof(filter.Protocol), "protocol", filter.Protocol, entry => entry.Protocol),
        .. TupleTerms(filter, areTranslated: false),
        OneOf(nameof(filter.Zone), "zone", filter.Zone, entry => entry.OriginalZone ?? entry.ReplyZone ?? entry.Zone),
        OneOf(nameof(filter.OriginalZone), "original zone", filter.OriginalZone, entry => entry.OriginalZone),
        OneOf(nameof(filter.ReplyZone), "reply zone", filter.ReplyZone, entry => entry.ReplyZone),
        OneOf(nameof(filter.Id), "id", filter.Id, entry => entry.Id),
    ]);

    private static IEnumerable<FilterTerm> Translations(ConntrackFilter filter) => Given(
    [
        Flag(nameof(filter.SourceNat), "a translated source", filter.SourceNat, Translation.OfSource),
        Flag(nameof(filter.DestinationNat), "a translated destination", filter.DestinationNat, Translation.OfDestination),
        Flag(nameof(filter.AnyNat), "a translated source or destination", filter.AnyNat, entry => Translation.OfSource(entry) || Translation.OfDestination(entry)),
        .. TupleTerms(filter, areTranslated: true),
    ]);

    private static IEnumerable<FilterTerm?> TupleTerms(ConntrackFilter filter, bool areTranslated) =>
        TupleProperties.All.Where(property => property.IsTranslated == areTranslated).Select(property => property.ToTerm(filter));

    private static IEnumerable<FilterTerm> StatusTerms(ConntrackFilter filter) => Given(
        OneOf(nameof(filter.State), "state", filter.State, entry => entry.State),
        filter.Status is not { } all
            ? null
            : new FilterTerm(nameof(filter.Status), $"status {all}", entry => (entry.Status & all) == all),
        filter.ExcludeStatus is not { } none
            ? null
            : new FilterTerm(nameof(filter.ExcludeStatus), $"status without {none}", entry => (entry.Status & none) == 0),
        Flag(nameof(filter.Unreplied), "no reply seen", filter.Unreplied, entry => (entry.Status & ConntrackStatus.SeenReply) == 0));

    private static IEnumerable<FilterTerm> Marks(ConntrackFilter filter) => Given(
        AnyOf(nameof(filter.Mark), "mark", filter.Mark, (entry, mark) => entry.Mark is { } present && mark.Matches(present), filter.Mark.Any(mark => mark.Mask == 0)),
        AnyOf(nameof(filter.Label), "label", [.. filter.Label.Select(LabelNames.System.ToName)], filter.Label, (entry, bit) => entry.Details?.Labels?[bit] == true),
        Names(nameof(filter.Helper), "helper", filter.Helper, entry => entry.Helper),
        Names(nameof(filter.SecurityContext), "security context", filter.SecurityContext, entry => entry.SecurityContext));

    private static IEnumerable<FilterTerm> Amounts(ConntrackFilter filter) => Given(
        AtLeast(nameof(filter.MinimumBytes), "bytes", filter.MinimumBytes, entry => entry.TotalBytes),
        AtLeast(nameof(filter.MinimumPackets), "packets", filter.MinimumPackets, entry => entry.OriginalPackets + entry.ReplyPackets),
        filter.TimeoutBelow is not { } below
            ? null
            : new FilterTerm(nameof(filter.TimeoutBelow), Invariant($"less than {below} s left"), entry => entry.TimeoutSeconds < below),
        filter.TimeoutAbove is not { } above
            ? null
            : new FilterTerm(nameof(filter.TimeoutAbove), Invariant($"more than {above} s left"), entry => entry.TimeoutSeconds > above, IsTrivial: above == 0),
        OlderThan(filter.OlderThan));

    private static FilterTerm? OlderThan(TimeSpan? age) => age is not { } span
        ? null
        : new FilterTerm(
            nameof(ConntrackFilter.OlderThan),
            $"an age over {span}",
            entry => IsOlderThan(entry, span, FilterTerm.Now()),
            IsTrivial: span <= TimeSpan.Zero)
        {
            MatchesAt = (entry, now) => IsOlderThan(entry, span, now),
        };

    /// <summary>How old an entry is at the time of asking: a filter outlives what it is first put to. One that has ended grows
    /// no older, however late its last event is looked at.</summary>
    private static bool IsOlderThan(ConntrackEntry entry, TimeSpan span, ulong now)
    {
        if (!entry.Has(EntryFields.StartTime))
            return false;
        ulong until = entry.Has(EntryFields.StopTime) ? entry.Data.Stop : now;
        return until > entry.Data.Start && (long)((until - entry.Data.Start) / 100) > Math.Max(0, span.Ticks);
    }

    private static IEnumerable<FilterTerm> Given(params FilterTerm?[] terms) => terms.OfType<FilterTerm>();

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static void RejectEmptyBits(ConntrackStatus? bits, string name)
    {
        if (bits == ConntrackStatus.None)
            throw new ArgumentException("No status bit is named, which would match every entry. Name at least one, such as Assured.", name);
    }
}
