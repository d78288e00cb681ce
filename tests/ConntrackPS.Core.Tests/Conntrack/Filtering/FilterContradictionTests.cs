using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack.Filtering;

/// <summary>A filter counts as contradictory only if no entry can match it. The tests of the cmdlets cover the kinds.</summary>
public class FilterContradictionTests
{
    [Fact]
    public void A_filter_that_some_entry_matches_has_none()
    {
        List<ConntrackEntry> entries = new RandomTable(RandomTable.DefaultSeed, []).Make(300);
        RandomFilters filters = new(new Random(RandomTable.DefaultSeed), entries);
        int contradictory = 0, matching = 0;
        for (int i = 0; i < 20_000; i++)
        {
            ConntrackFilter filter = filters.Next();
            ConntrackEntry? match = entries.Find(filter.Matches);
            matching += match is null ? 0 : 1;
            if (filter.Contradiction is not { } contradiction)
                continue;
            contradictory++;
            Assert.True(match is null, $"{filter}: {contradiction}, but {match}");
            Assert.InRange(contradiction.Properties.Count, 1, 2);
            Assert.All(contradiction.Properties, property => Assert.Contains(property, contradiction.ToString(), StringComparison.Ordinal));
        }

        Assert.True(contradictory > 500 && matching > 5000, $"{contradictory} contradictory, {matching} matching");
    }

    /// <summary>All conditions that match an entry, in one filter.</summary>
    [Fact]
    public void Every_entry_s_own_description_has_none()
    {
        foreach (ConntrackEntry entry in new RandomTable(RandomTable.DefaultSeed, []).Make(500))
        {
            AddressPrefix Prefix(AddressBits bits) => AddressPrefix.Of(new HostAddress(entry.AddressFamily, bits));
            ConntrackFilter filter = new()
            {
                AddressFamily = entry.AddressFamily,
                Protocol = [entry.Protocol],
                SourceAddress = [Prefix(entry.Original.Source)],
                DestinationAddress = [Prefix(entry.Original.Destination)],
                ReplySourceAddress = [Prefix(entry.Reply.Source)],
                ReplyDestinationAddress = [Prefix(entry.Reply.Destination)],
                SourcePort = entry.SourcePort is { } source ? [new(source)] : [],
                DestinationPort = entry.DestinationPort is { } destination ? [new(destination)] : [],
                ReplySourcePort = entry.ReplySourcePort is { } replySource ? [new(replySource)] : [],
                ReplyDestinationPort = entry.ReplyDestinationPort is { } replyDestination ? [new(replyDestination)] : [],
                IcmpType = entry.IcmpType is { } type ? [type] : [],
                IcmpCode = entry.IcmpCode is { } code ? [code] : [],
                IcmpId = entry.IcmpId is { } id ? [id] : [],
                GreSourceKey = entry.GreSourceKey is { } sourceKey ? [sourceKey] : [],
                GreDestinationKey = entry.GreDestinationKey is { } destinationKey ? [destinationKey] : [],
                State = entry.State is { } state ? [state] : [],
                Status = entry.Status == ConntrackStatus.None ? null : entry.Status,
                Unreplied = (entry.Status & ConntrackStatus.SeenReply) == 0,
                Zone = [entry.OriginalZone ?? entry.ReplyZone ?? entry.Zone],
                OriginalZone = entry.OriginalZone is { } original ? [original] : [],
                ReplyZone = entry.ReplyZone is { } reply ? [reply] : [],
                TimeoutAbove = entry.TimeoutSeconds is > 0 ? entry.TimeoutSeconds - 1 : null,
                TimeoutBelow = entry.TimeoutSeconds + 1,
            };
            Assert.True(filter.Matches(entry), $"{filter}: {entry}");
            Assert.Null(filter.Contradiction);
        }
    }
}
