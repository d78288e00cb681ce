using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Filters that fit a table: most of their values come from its entries.</summary>
internal sealed class RandomFilters(Random random, IReadOnlyList<ConntrackEntry> entries)
{
    private static readonly ConntrackStatus[] Bits =
    [
        ConntrackStatus.SeenReply, ConntrackStatus.Assured, ConntrackStatus.FixedTimeout, ConntrackStatus.SrcNat,
        ConntrackStatus.DstNat, ConntrackStatus.Confirmed, ConntrackStatus.Helper, ConntrackStatus.Expected,
    ];

    /// <summary>A filter with one to four conditions. They may come from different entries.</summary>
    public ConntrackFilter Next()
    {
        bool[] ask = new bool[34];
        for (int conditions = random.Next(1, 5); conditions > 0; conditions--)
            ask[random.Next(ask.Length)] = true;

        // An exclusion alone names no entries.
        ask[1] |= !ask.AsSpan(0, 31).Contains(true);

        // Mostly from the same entry, so that it matches all conditions.
        ConntrackEntry one = Any();
        ConntrackEntry Trait() => random.Next(4) == 0 ? Any() : one;
        return new ConntrackFilter
        {
            AddressFamily = ask[0] ? Trait().AddressFamily : IPFamily.Unspecified,
            Protocol = ask[1] ? Some(() => Trait().Protocol) : [],
            SourceAddress = ask[2] ? Some(() => Prefix(Trait().Original, tuple => tuple.Source)) : [],
            DestinationAddress = ask[3] ? Some(() => Prefix(Trait().Original, tuple => tuple.Destination)) : [],
            ReplySourceAddress = ask[4] ? Some(() => Prefix(Trait().Reply, tuple => tuple.Source)) : [],
            ReplyDestinationAddress = ask[5] ? Some(() => Prefix(Trait().Reply, tuple => tuple.Destination)) : [],
            Address = ask[6] ? Some(() => Prefix(Trait().Reply, tuple => tuple.Destination)) : [],
            SourcePort = ask[7] ? Some(() => Range(Trait().Original.SourcePort)) : [],
            DestinationPort = ask[8] ? Some(() => Range(Trait().Original.DestinationPort)) : [],
            ReplySourcePort = ask[9] ? Some(() => Range(Trait().Reply.SourcePort)) : [],
            ReplyDestinationPort = ask[10] ? Some(() => Range(Trait().Reply.DestinationPort)) : [],
            Port = ask[11] ? Some(() => Range(Trait().Reply.SourcePort)) : [],
            State = ask[12] ? Some(() => Trait().State ?? ConntrackState.Established) : [],
            Status = ask[13] ? RandomBits() : null,
            ExcludeStatus = ask[14] ? RandomBits() : null,
            Unreplied = ask[15],
            SourceNat = ask[16],
            DestinationNat = ask[17],
            Mark = ask[18] ? Some(() => Mark(Trait().Data.Mark)) : [],
            Zone = ask[19] ? Some(() => Trait().OriginalZone ?? Trait().Zone) : [],
            IcmpType = ask[20] ? Some(() => Trait().IcmpType ?? 8) : [],
            IcmpId = ask[21] ? Some(() => Trait().IcmpId ?? 1) : [],
            TranslatedSourceAddress = ask[22] ? Some(() => Prefix(Trait().Reply, tuple => tuple.Destination)) : [],
            TranslatedDestinationAddress = ask[23] ? Some(() => Prefix(Trait().Reply, tuple => tuple.Source)) : [],
            TranslatedAddress = ask[24] ? Some(() => Prefix(Trait().Reply, tuple => random.Next(2) == 0 ? tuple.Source : tuple.Destination)) : [],
            TranslatedSourcePort = ask[25] ? Some(() => Range(Trait().Reply.DestinationPort)) : [],
            TranslatedDestinationPort = ask[26] ? Some(() => Range(Trait().Reply.SourcePort)) : [],
            TranslatedPort = ask[27] ? Some(() => Range(random.Next(2) == 0 ? Trait().Reply.SourcePort : Trait().Reply.DestinationPort)) : [],
            AnyNat = ask[28],
            OriginalZone = ask[29] ? Some(() => Trait().OriginalZone ?? (ushort)(Trait().Zone + 1)) : [],
            Exclude =
            [
                .. ask[31] ? [new ConntrackFilter { SourceAddress = Some(() => Prefix(Trait().Original, tuple => tuple.Source)) }] : Array.Empty<ConntrackFilter>(),
                .. ask[32] ? [new ConntrackFilter { Port = Some(() => Range(Trait().Reply.SourcePort)) }] : Array.Empty<ConntrackFilter>(),
                .. ask[33] ? [new ConntrackFilter { Status = ConntrackStatus.SeenReply, Protocol = [Trait().Protocol] }] : Array.Empty<ConntrackFilter>(),
            ],
            ReplyZone = ask[30] ? Some(() => Trait().ReplyZone ?? (ushort)(Trait().Zone + 1)) : [],
        };
    }

    /// <summary>A filter that the kernel supports completely, so that one request may delete by it.</summary>
    public ConntrackFilter NextForKernel()
    {
        ConntrackEntry one = Any();
        return random.Next(5) switch
        {
            0 => new ConntrackFilter { AddressFamily = one.AddressFamily, Protocol = [one.Protocol] },
            1 => new ConntrackFilter { Mark = [Mark(one.Data.Mark)] },
            2 => new ConntrackFilter { Zone = [one.OriginalZone ?? one.ReplyZone ?? one.Zone], Unreplied = random.Next(2) == 0 },
            3 => new ConntrackFilter { AddressFamily = one.AddressFamily, ExcludeStatus = ConntrackStatus.Assured },
            _ => new ConntrackFilter { AddressFamily = one.AddressFamily, Status = RandomBits() },
        };
    }

    private ConntrackEntry Any() => entries[random.Next(entries.Count)];

    private T[] Some<T>(Func<T> next) => [.. Enumerable.Range(0, random.Next(3) == 0 ? random.Next(1, 4) : 1).Select(_ => next())];

    private AddressPrefix Prefix(ConntrackTuple tuple, Func<ConntrackTuple, AddressBits> read)
    {
        string address = read(tuple).ToString(tuple.Family);
        int bits = tuple.Family == IPFamily.IPv6 ? 128 : 32;
        return AddressPrefix.Parse(random.Next(3) == 0 ? $"{address}/{random.Next(1, bits)}" : address);
    }

    private PortRange Range(ushort port) =>
        random.Next(3) == 0 ? new PortRange(Math.Max(0, port - 500), Math.Min(65535, port + 500)) : new PortRange(port);

    private MaskedMark Mark(uint mark)
    {
        uint mask = random.Next(2) == 0 ? uint.MaxValue : 1u << random.Next(32) | 0xff;
        return new MaskedMark(mark & mask, mask);
    }

    private ConntrackStatus RandomBits()
    {
        ConntrackStatus bits = Bits[random.Next(Bits.Length)];
        return random.Next(3) == 0 ? bits | Bits[random.Next(Bits.Length)] : bits;
    }
}
