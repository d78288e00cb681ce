using ConntrackPS.Blocking;
using ConntrackPS.Blocking.Rules;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Nftables;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Blocking;

/// <summary>Compares rules with the filters they are compiled from, flow by flow. The tests of the cmdlets check with packets that the
/// kernel applies the rules.</summary>
public sealed class RuleCompilerTests
{
    [Fact]
    public void Rules_drop_the_flows_that_a_filter_names_and_no_other()
    {
        List<ConntrackEntry> entries = new RandomTable(RandomTable.DefaultSeed, []).Make(400);
        entries.ForEach(SetTranslationBits);
        RandomFilters filters = new(new Random(RandomTable.DefaultSeed), entries);
        int compared = 0, named = 0;
        for (int i = 0; i < 3000; i++)
        {
            ConntrackFilter filter = filters.Next();
            if (filter.Zone.Count + filter.OriginalZone.Count + filter.ReplyZone.Count > 0 || !filter.NamesEntries || BlockTarget.Of(filter) is not { CoversNewFlows: true } target)
                continue;
            compared++;
            foreach (ConntrackEntry entry in entries)
            {
                bool isNamed = filter.Matches(entry);
                named += isNamed ? 1 : 0;
                Assert.True(isNamed == target.Rules.Any(rule => Drops(rule, entry)), $"{filter}: {entry}");
            }
        }

        Assert.True(compared > 500 && named > 5000, $"{compared} filters named {named} flows");
    }

    /// <summary>A forgotten zone would silently turn a block of new flows into one of only existing flows.</summary>
    [Fact]
    public void Zones_can_not_be_blocked_whichever_direction_they_hold_for()
    {
        ConntrackFilter filter = new() { SourceAddress = [AddressPrefix.Parse("192.0.2.1")] };
        Assert.Throws<ZoneNotBlockableException>(() => BlockTarget.Of(filter with { Zone = [5] }));
        Assert.Throws<ZoneNotBlockableException>(() => BlockTarget.Of(filter with { OriginalZone = [5] }));
        Assert.Throws<ZoneNotBlockableException>(() => BlockTarget.Of(filter with { ReplyZone = [5] }));
    }

    [Theory]
    [InlineData("Mark")]
    [InlineData("State")]
    [InlineData("Unreplied")]
    [InlineData("Id")]
    public void What_new_flows_do_not_show_makes_no_rule(string term)
    {
        ConntrackFilter filter = new()
        {
            SourceAddress = [AddressPrefix.Parse("192.0.2.1")],
            Mark = term == "Mark" ? [new MaskedMark(7, uint.MaxValue)] : [],
            State = term == "State" ? [ConntrackState.Established] : [],
            Unreplied = term == "Unreplied",
            Id = term == "Id" ? [7] : [],
        };
        Assert.False(BlockTarget.Of(filter).CoversNewFlows);
    }

    [Fact]
    public void One_direction_is_told_after_connection_tracking_and_either_one_before()
    {
        Assert.All(Compile(new() { SourceAddress = [AddressPrefix.Parse("192.0.2.1")] }), rule => Assert.Equal(BlockStage.Tracked, rule.Stage));
        Assert.All(Compile(new() { TranslatedDestinationPort = [new PortRange(80)] }), rule => Assert.Equal(BlockStage.Translated, rule.Stage));
        Assert.All(Compile(new() { Protocol = [IPProtocol.Udp], AddressFamily = IPFamily.IPv6 }), rule => Assert.Equal(BlockStage.Packet, rule.Stage));
        Assert.Equal(
            [BlockStage.Packet, BlockStage.Tracked, BlockStage.Translated],
            Compile(new() { Address = [AddressPrefix.Parse("2001:db8::1")] }).Select(rule => rule.Stage).Distinct().Order());
    }

    [Fact]
    public void Addresses_of_different_families_make_no_rule_together()
    {
        Assert.Empty(Compile(new() { SourceAddress = [AddressPrefix.Parse("192.0.2.1")], DestinationAddress = [AddressPrefix.Parse("2001:db8::1")] }));
    }

    private static IReadOnlyList<BlockRule> Compile(ConntrackFilter filter) => RuleCompiler.Compile(filter);

    /// <summary>The kernel sets the bit for every translation.</summary>
    private static void SetTranslationBits(ConntrackEntry entry)
    {
        entry.Status |= Translation.SourceDiffers(entry) ? ConntrackStatus.SrcNat : ConntrackStatus.None;
        entry.Status |= Translation.DestinationDiffers(entry) ? ConntrackStatus.DstNat : ConntrackStatus.None;
    }

    /// <summary>True if a rule drops packets of the flow, in either direction.</summary>
    private static bool Drops(BlockRule rule, ConntrackEntry entry) =>
        ((ConntrackTuple[])[entry.Original, entry.Reply]).Any(packet => rule.Conditions.All(condition => condition switch
        {
            FamilyCondition family => entry.AddressFamily == family.Family,
            TranslationCondition translation => (entry.Status & translation.Bits) != 0,
            ValueCondition value => Read(value.Field, entry, packet) is { } number
                && value.Values.Ranges.Any(range => number >= range.First && number <= range.Last),
            _ => throw new InvalidOperationException(condition.ToString()),
        }));

    private static UInt128? Read(PacketField field, ConntrackEntry entry, ConntrackTuple packet) => field switch
    {
        ProtocolField => (UInt128)(byte)entry.Protocol,
        HeaderField { Header: PayloadBase.TransportHeader, Offset: var offset } => (UInt128)(offset == 0 ? packet.SourcePort : packet.DestinationPort),
        HeaderField { Offset: 8 or 12 } => Number(packet.Source),
        HeaderField => Number(packet.Destination),
        TupleField { Direction: TupleDirection.Original } tuple => Read(tuple.Key, entry.Original),
        TupleField tuple => Read(tuple.Key, entry.Reply),
        _ => null,
    };

    private static UInt128? Read(CtKey key, ConntrackTuple tuple) => key switch
    {
        CtKey.ProtoSrc => (UInt128)tuple.SourcePort,
        CtKey.ProtoDst => (UInt128)tuple.DestinationPort,
        CtKey.SrcIp or CtKey.SrcIp6 => Number(tuple.Source),
        _ => Number(tuple.Destination),
    };

    private static UInt128 Number(AddressBits bits) => new(bits.High, bits.Low);
}
