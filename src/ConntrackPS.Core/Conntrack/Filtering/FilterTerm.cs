using System.Globalization;
using static ConntrackPS.Conntrack.Filtering.FilterTerms;

namespace ConntrackPS.Conntrack.Filtering;

/// <summary>One condition of a filter.</summary>
/// <param name="Property">The property of <see cref="ConntrackFilter"/>.</param>
/// <param name="Description">The condition in words.</param>
/// <param name="Matches">Checks an entry at the time of the call.</param>
/// <param name="IsTrivial">True if every entry of a family matches, as with 0.0.0.0/0. Such a condition names no entries.</param>
internal sealed record FilterTerm(
    string Property, string Description, Func<ConntrackEntry, bool> Matches, bool IsTrivial = false)
{
    /// <summary>Checks an entry at a given time, in nanoseconds since 1970. Null if the result does not depend on time.</summary>
    /// <remarks>A condition must not store a time of its own, because its filter may be in use for days.</remarks>
    public Func<ConntrackEntry, ulong, bool>? MatchesAt { get; init; }

    /// <summary>The time that the kernel's timestamps are compared with, in nanoseconds since 1970 (CLOCK_REALTIME).</summary>
    public static ulong Now() => (ulong)(DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;
}

/// <summary>Creates conditions by kind. Each method returns null if the filter has no such condition.</summary>
internal static class FilterTerms
{
    public static FilterTerm? Flag(string property, string description, bool wanted, Func<ConntrackEntry, bool> matches) =>
        wanted ? new FilterTerm(property, description, matches) : null;

    public static FilterTerm? OneOf<T>(string property, string name, IReadOnlyList<T> values, Func<ConntrackEntry, T?> read)
        where T : struct
    {
        if (values.Count == 0)
            return null;
        string description = $"{name} {Join(values)}";
        if (values.Count == 1)
        {
            // A single value is by far the most frequent case, and several times faster than a lookup.
            T only = values[0];
            return new FilterTerm(
                property, description, entry => read(entry) is { } value && EqualityComparer<T>.Default.Equals(value, only));
        }

        HashSet<T> wanted = [.. values];
        return new FilterTerm(property, description, entry => read(entry) is { } value && wanted.Contains(value));
    }

    public static FilterTerm? Names(string property, string name, IReadOnlyList<string> values, Func<ConntrackEntry, string?> read) =>
        AnyOf(property, name, values, (entry, value) => string.Equals(read(entry), value, StringComparison.OrdinalIgnoreCase));

    public static FilterTerm? AtLeast(string property, string unit, ulong? least, Func<ConntrackEntry, ulong?> read) =>
        least is not { } amount
            ? null
            : new FilterTerm(
                property,
                string.Create(CultureInfo.InvariantCulture, $"at least {amount} {unit}"),
                entry => read(entry) >= amount,
                IsTrivial: amount == 0);

    public static FilterTerm? AnyOf<T>(
        string property, string name, IReadOnlyList<T> values, Func<ConntrackEntry, T, bool> matches, bool isTrivial = false) =>
        AnyOf(property, name, values, values, matches, isTrivial);

    /// <param name="property">The filter's property.</param>
    /// <param name="name">The name of the property in a sentence.</param>
    /// <param name="shown">The values as text.</param>
    /// <param name="values">The values. Any of them may match.</param>
    /// <param name="matches">Checks an entry against a value.</param>
    /// <param name="isTrivial">True if every entry of a family matches.</param>
    public static FilterTerm? AnyOf<T, TShown>(
        string property,
        string name,
        IReadOnlyList<TShown> shown,
        IReadOnlyList<T> values,
        Func<ConntrackEntry, T, bool> matches,
        bool isTrivial = false)
    {
        return values.Count == 0 ? null : new FilterTerm(property, $"{name} {Join(shown)}", Matches, isTrivial);

        bool Matches(ConntrackEntry entry)
        {
            for (int i = 0; i < values.Count; i++)
            {
                if (matches(entry, values[i]))
                    return true;
            }

            return false;
        }
    }

    /// <summary>True if the prefixes match every address of a family, and so name no entries.</summary>
    public static bool HasWholeFamily(IReadOnlyList<AddressPrefix> prefixes) => prefixes.Any(prefix => prefix.Length == 0);

    /// <summary>True if the ranges match every port, and so name no entries.</summary>
    public static bool HasAllPorts(IReadOnlyList<PortRange> ranges) =>
        ranges.Any(range => range is { First: 0, Last: ushort.MaxValue });

    private static string Join<T>(IReadOnlyList<T> values) => string.Join(" or ", values);
}

/// <summary>Converts the properties of a filter into the conditions that are checked on each entry.</summary>
internal static class FilterCompiler
{
    /// <summary>The kernel cuts longer timeouts to INT_MAX jiffies (__nf_ct_set_timeout, nf_conntrack.h). At least 100 of them are a second.</summary>
    private const uint LongestTimeout = int.MaxValue / 100;

    /// <exception cref="ArgumentException">A property has an impossible value.</exception>
    public static IEnumerable<FilterTerm> Compile(ConntrackFilter filter)
    {
        RejectEmptyBits(filter.Status, nameof(filter.Status));
        RejectEmptyBits(filter.ExcludeStatus, nameof(filter.ExcludeStatus));
        return [.. Tuples(filter), .. Translations(filter), .. StatusTerms(filter), .. Marks(filter), .. Amounts(filter), .. filter.Conditions, .. Exclusions(filter)];
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
            : new FilterTerm(nameof(filter.Status), $"status {all}", entry => (entry.Status & all) == all, IsTrivial: TellingStatus.HasEvery(all)),
        filter.ExcludeStatus is not { } none
            ? null
            : new FilterTerm(nameof(filter.ExcludeStatus), $"status without {none}", entry => (entry.Status & none) == 0, IsTrivial: TellingStatus.HasNone(none)),
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
            : new FilterTerm(nameof(filter.TimeoutBelow), Invariant($"less than {below} s left"), entry => entry.TimeoutSeconds < below, IsTrivial: below > LongestTimeout),
        filter.TimeoutAbove is not { } above
            ? null
            : new FilterTerm(nameof(filter.TimeoutAbove), Invariant($"more than {above} s left"), entry => entry.TimeoutSeconds > above, IsTrivial: above == 0),
        OlderThan(filter.OlderThan));

    /// <summary>An exclusion never names entries, even if few entries remain.</summary>
    /// <exception cref="ArgumentException">A filter in Exclude has no condition, and would exclude everything.</exception>
    private static IEnumerable<FilterTerm> Exclusions(ConntrackFilter filter) => filter.Exclude.Select(excluded => new FilterTerm(
        nameof(filter.Exclude),
        $"not {string.Join(" and ", excluded.Terms.Select(term => term.Description))}",
        excluded.IsEmpty
            ? throw new ArgumentException("The filter to exclude is empty, so it would exclude every entry.", nameof(filter))
            : entry => !excluded.Matches(entry),
        IsTrivial: true));

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

    /// <summary>Compares the age at the given time, because a filter may be used for a long time. The age of a connection that has ended is
    /// fixed, even if its last event is read later.</summary>
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
            throw new ArgumentException("No status bit is given, so every entry would match. Give at least one, such as Assured.", name);
    }
}
