using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace ConntrackPS.Conntrack.Walk;

/// <summary>The values of an entry that a walk reads only on request. The tuples, zone, status, state, timeout and mark are always
/// read.</summary>
[Flags]
internal enum EntryParts
{
    None = 0,
    Id = 1 << 0,
    Counters = 1 << 1,
    StartTime = 1 << 2,
    Labels = 1 << 3,
    Helper = 1 << 4,

    /// <summary>All parts that a walk can read.</summary>
    Walkable = Id | Counters | StartTime | Labels | Helper,

    /// <summary>Also the values that only netlink has: the security context, the master, sequence numbers and so on.</summary>
    All = Walkable | 1 << 5,
}

/// <summary>The tuple of a record, as struct nf_conntrack_tuple has it on every kernel so far. Addresses and ports are in network
/// order.</summary>
internal static class WalkTuple
{
    public const int SourceAddress = 0, SourcePort = 16, Family = 18, DestinationAddress = 20, DestinationPort = 36, Protocol = 38, Direction = 39;

    public const int Size = 40;
}

/// <summary>The record that the walk's program writes for each entry. Parts at the end that are not wanted are left out.</summary>
internal static class WalkRecord
{
    /// <summary>The addresses of the entry and of its network namespace in the kernel.</summary>
    public const int Entry = 0, Net = 8;

    /// <summary>The timeout is what is left of it, in timer ticks.</summary>
    public const int Status = 16, Mark = 20, Timeout = 24, ZoneId = 28, ZoneDirection = 30, State = 31;

    public const int Original = 32, Reply = Original + WalkTuple.Size;

    public const int Bucket = Reply + WalkTuple.Size;

    /// <summary>The <see cref="EntryParts"/> that the entry has.</summary>
    public const int Parts = Bucket + sizeof(uint);

    public const int Master = Parts + sizeof(uint);

    public const int OriginalPackets = Master + sizeof(ulong), OriginalBytes = OriginalPackets + sizeof(ulong);
    public const int ReplyPackets = OriginalBytes + sizeof(ulong), ReplyBytes = ReplyPackets + sizeof(ulong);

    public const int Start = ReplyBytes + sizeof(ulong);

    public const int Labels = Start + sizeof(ulong);

    public const int Helper = Labels + 2 * sizeof(ulong);

    /// <summary>NF_CT_HELPER_NAME_LEN.</summary>
    public const int HelperLength = 16;

    public const int LongestSize = Helper + HelperLength;

    /// <summary>NF_CT_ZONE_DIR_ORIG and NF_CT_ZONE_DIR_REPL: the zone is that of only one direction.</summary>
    public const int OfOriginal = 1, OfReply = 2;

    /// <summary>The size of a record that has these parts.</summary>
    public static int SizeFor(EntryParts parts) =>
        (parts & EntryParts.Helper) != 0 ? LongestSize
        : (parts & EntryParts.Labels) != 0 ? Helper
        : (parts & EntryParts.StartTime) != 0 ? Labels
        : (parts & EntryParts.Counters) != 0 ? Start
        : (parts & EntryParts.Id) != 0 ? OriginalPackets
        : Master;
}

/// <summary>Makes entries of records, with the same values as if netlink had sent them.</summary>
/// <param name="layout">The kernel's types, which tell the protocols that have ports.</param>
/// <param name="ticksPerSecond">The frequency of the kernel's timer (HZ).</param>
/// <param name="ids">Calculates ids; null if no ids are wanted.</param>
internal sealed class RecordDecoder(WalkLayout layout, uint ticksPerSecond, EntryIds? ids)
{
    private readonly Dictionary<(ulong, ulong), string> _helpers = [];

    /// <summary>Fills an entry that was reset.</summary>
    /// <param name="record">The record, whole.</param>
    /// <param name="parts">The parts that the record has.</param>
    /// <param name="entry">The entry.</param>
    public void Decode(ReadOnlySpan<byte> record, EntryParts parts, ConntrackEntry entry)
    {
        ref EntryData data = ref entry.Data;
        uint status = Word(record, WalkRecord.Status);
        data.Status = (ConntrackStatus)status;
        data.Mark = Word(record, WalkRecord.Mark);
        ReadTuple(record.Slice(WalkRecord.Original, WalkTuple.Size), out data.Original);
        ReadTuple(record.Slice(WalkRecord.Reply, WalkTuple.Size), out data.Reply);
        EntryFields fields = EntryFields.None;

        // Netlink sends neither for a flow that a flow table forwards, because they are not kept up to date then.
        if ((data.Status & ConntrackStatus.Offload) == 0)
        {
            data.Timeout = Word(record, WalkRecord.Timeout) / ticksPerSecond;
            fields |= EntryFields.Timeout;
            if (data.Original.Protocol is IPProtocol.Tcp or IPProtocol.Sctp or IPProtocol.Dccp && layout.HasPorts(data.Original.Protocol))
            {
                data.State = ConntrackStates.FromKernel(data.Original.Protocol, record[WalkRecord.State]);
                fields |= EntryFields.State;
            }
        }

        if (BinaryPrimitives.ReadUInt16LittleEndian(record[WalkRecord.ZoneId..]) is not 0 and var zone)
            fields |= SetZone(ref data, zone, record[WalkRecord.ZoneDirection]);
        EntryParts present = parts & (EntryParts)Word(record, WalkRecord.Parts);
        if ((present & EntryParts.Counters) != 0)
        {
            (data.OriginalPackets, data.OriginalBytes) = (Long(record, WalkRecord.OriginalPackets), Long(record, WalkRecord.OriginalBytes));
            (data.ReplyPackets, data.ReplyBytes) = (Long(record, WalkRecord.ReplyPackets), Long(record, WalkRecord.ReplyBytes));
            fields |= EntryFields.OriginalCounters | EntryFields.ReplyCounters;
        }

        if ((present & EntryParts.StartTime) != 0)
        {
            data.Start = Long(record, WalkRecord.Start);
            fields |= EntryFields.StartTime;
        }

        if ((present & EntryParts.Labels) != 0 && LabelBits.FromBytes(record.Slice(WalkRecord.Labels, 2 * sizeof(ulong))) is { IsEmpty: false } labels)
            entry.MakeDetails().Labels = labels;
        if ((present & EntryParts.Helper) != 0)
            entry.MakeDetails().Helper = HelperOf(record);
        if (ids is not null && (parts & EntryParts.Id) != 0)
        {
            data.Id = ids.Of(record);
            fields |= EntryFields.Id;
        }

        data.Fields |= fields;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Word(ReadOnlySpan<byte> record, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(record[offset..]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Long(ReadOnlySpan<byte> record, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(record[offset..]);

    private static EntryFields SetZone(ref EntryData data, ushort zone, byte direction)
    {
        switch (direction)
        {
            case WalkRecord.OfOriginal:
                data.OriginalZone = zone;
                return EntryFields.OriginalZone;
            case WalkRecord.OfReply:
                data.ReplyZone = zone;
                return EntryFields.ReplyZone;
            default:
                data.Zone = zone;
                return EntryFields.None;
        }
    }

    private void ReadTuple(ReadOnlySpan<byte> bytes, out ConntrackTuple tuple)
    {
        IPFamily family = (IPFamily)BinaryPrimitives.ReadUInt16LittleEndian(bytes[WalkTuple.Family..]);
        byte protocol = bytes[WalkTuple.Protocol];
        bool hasPorts = layout.HasPorts((IPProtocol)protocol);
        tuple = new ConntrackTuple
        {
            Family = family,
            Protocol = (IPProtocol)protocol,
            HasPorts = hasPorts,
            SourcePort = hasPorts ? BinaryPrimitives.ReadUInt16BigEndian(bytes[WalkTuple.SourcePort..]) : (ushort)0,
            DestinationPort = hasPorts ? BinaryPrimitives.ReadUInt16BigEndian(bytes[WalkTuple.DestinationPort..]) : (ushort)0,
            Source = Address(bytes[WalkTuple.SourceAddress..], family),
            Destination = Address(bytes[WalkTuple.DestinationAddress..], family),
        };
    }

    private static AddressBits Address(ReadOnlySpan<byte> bytes, IPFamily family) => family == IPFamily.IPv4
        ? new AddressBits(0, BinaryPrimitives.ReadUInt32BigEndian(bytes))
        : new AddressBits(BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[sizeof(ulong)..]));

    /// <summary>There are few helpers, so each name becomes one text.</summary>
    private string HelperOf(ReadOnlySpan<byte> record)
    {
        ReadOnlySpan<byte> name = record.Slice(WalkRecord.Helper, WalkRecord.HelperLength);
        (ulong, ulong) key = (Long(name, 0), Long(name, sizeof(ulong)));
        ref string? text = ref CollectionsMarshal.GetValueRefOrAddDefault(_helpers, key, out _);
        if (text is null)
        {
            int end = name.IndexOf((byte)0);
            text = Encoding.UTF8.GetString(end < 0 ? name : name[..end]);
        }

        return text;
    }
}
