using System.Buffers.Binary;
using ConntrackPS.Conntrack;
using ConntrackPS.Netlink;
using ConntrackPS.Nftables;

namespace ConntrackPS.Blocking.Rules;

/// <summary>The content of a block's table: the rules of a filter, and sets of the tuples of flows.</summary>
/// <param name="rules">The rules.</param>
internal sealed class BlockContent(IReadOnlyList<BlockRule> rules)
{
    private readonly HashSet<ConntrackTuple> _tuples = [];
    private readonly HashSet<FlowSet> _flowSets = [];

    /// <summary>The number of tuples.</summary>
    public int TupleCount => _tuples.Count;

    /// <summary>Adds a tuple for the next table.</summary>
    /// <returns>False if it is there already.</returns>
    public bool Add(ConntrackTuple tuple) => _tuples.Add(tuple);

    /// <summary>Adds the whole content to a new table.</summary>
    public void AddTo(TableBuilder table, NftTransaction transaction)
    {
        _flowSets.Clear();
        foreach (BlockRule rule in rules)
            AddRule(table, transaction, rule.Stage, rule.Conditions, ExpressionWriter.CountAndDrop);
        AddFlows(table, transaction, _tuples);
    }

    /// <summary>Starts to drop the packets of these tuples.</summary>
    public void AddFlows(TableBuilder table, NftTransaction transaction, IEnumerable<ConntrackTuple> tuples)
    {
        foreach (IGrouping<FlowSet, ConntrackTuple> kind in tuples.GroupBy(tuple => FlowSet.Of(tuple)!.Value))
        {
            if (_flowSets.Add(kind.Key))
                AddFlowSet(table, transaction, kind.Key);

            // About 70 bytes per element: as many as fit into a message.
            foreach (ConntrackTuple[] chunk in kind.Chunk(NetlinkBatch.MaximumMessageSize / 80))
            {
                transaction.Add(NftMessage.Newsetelem, MessageFlags.Create, (ref MessageWriter writer) =>
                {
                    MessageWriter.Nest elements = NftWriter.BeginElements(ref writer, table.Name, kind.Key.Name);
                    foreach (ConntrackTuple tuple in chunk)
                        kind.Key.WriteElement(ref writer, tuple);
                    writer.EndNest(elements);
                });
            }
        }
    }

    private static void AddFlowSet(TableBuilder table, NftTransaction transaction, FlowSet set)
    {
        table.AddSet(transaction, set.Name, set.Type, default);
        AddRule(table, transaction, BlockStage.Packet, [], (ref MessageWriter writer) =>
        {
            set.WriteLookup(ref writer);
            ExpressionWriter.CountAndDrop(ref writer);
        });
    }

    private static void AddRule(
        TableBuilder table, NftTransaction transaction, BlockStage stage, IReadOnlyList<PacketCondition> conditions, NftTransaction.Body writeRest)
    {
        foreach (BaseChain chain in BlockChains.At(stage))
            table.AddRule(transaction, chain, conditions, writeRest);
    }
}

/// <summary>Identifies flows of one kind by their packets: a set of complete tuples, and the rule that looks up packets in it.</summary>
/// <param name="Family">The address family.</param>
/// <param name="Parts">The fields in addition to addresses and protocol.</param>
internal readonly record struct FlowSet(IPFamily Family, FlowParts Parts)
{
    private const int MaximumKeyLength = 44;

    /// <summary>The set for a flow. Null if no packet contains the values that identify it: the keys of PPTP.</summary>
    public static FlowSet? Of(in ConntrackTuple tuple)
    {
        if (tuple.IsIcmp)
            return tuple.HasPorts ? new FlowSet(tuple.Family, FlowParts.Icmp) : null;
        if (tuple.Protocol == IPProtocol.Gre)
            return tuple.SourcePort == 0 && tuple.DestinationPort == 0 ? new FlowSet(tuple.Family, FlowParts.None) : null;
        return new FlowSet(tuple.Family, tuple.HasPorts ? FlowParts.Ports : FlowParts.None);
    }

    /// <summary>The set's name in the block's table.</summary>
    public string Name => (Parts switch
    {
        FlowParts.Ports => "flows",
        FlowParts.Icmp => "icmp-flows",
        _ => "portless-flows",
    }) + (Family == IPFamily.IPv6 ? "6" : "");

    public ElementType Type
    {
        get
        {
            ElementType address = Family == IPFamily.IPv6 ? ElementType.IPv6Address : ElementType.IPv4Address;
            ElementType[] both = [address, address, ElementType.Protocol];
            return ElementType.Concat(Parts == FlowParts.None ? both : [.. both, ElementType.Service, ElementType.Service]);
        }
    }

    /// <summary>Adds a tuple to the list of the set's elements.</summary>
    public void WriteElement(ref MessageWriter writer, in ConntrackTuple tuple)
    {
        Span<byte> key = stackalloc byte[MaximumKeyLength];
        key.Clear();
        int length = tuple.Source.CopyTo(Family, key);
        length += tuple.Destination.CopyTo(Family, key[length..]);

        // Each field uses whole registers of 4 bytes.
        key[length] = (byte)tuple.Protocol;
        length += sizeof(uint);
        if (Parts != FlowParts.None)
        {
            BinaryPrimitives.WriteUInt16BigEndian(key[length..], tuple.SourcePort);
            BinaryPrimitives.WriteUInt16BigEndian(key[(length + sizeof(uint))..], tuple.DestinationPort);
            length += 2 * sizeof(uint);
        }

        NftWriter.Element(ref writer, key[..length]);
    }

    /// <summary>Writes the rule's condition: the tuple of a packet is in the set.</summary>
    public void WriteLookup(ref MessageWriter writer)
    {
        new FamilyCondition(Family).Write(ref writer);
        ExpressionWriter.LoadMeta(ref writer, MetaKey.L4proto);
        byte icmp = (byte)(Family == IPFamily.IPv6 ? IPProtocol.IcmpV6 : IPProtocol.Icmp);
        ExpressionWriter.Compare(ref writer, Parts == FlowParts.Icmp ? CompareOperator.Eq : CompareOperator.Neq, [icmp]);

        uint register = (uint)NftRegister.First;
        foreach (HeaderField address in (HeaderField[])[HeaderField.Address(Family, isSource: true), HeaderField.Address(Family, isSource: false)])
        {
            ExpressionWriter.LoadPayload(ref writer, address.Header, address.Offset, address.Type.Length, register);
            register += (uint)ElementType.Registers(address.Type.Length);
        }

        ExpressionWriter.LoadMeta(ref writer, MetaKey.L4proto, register++);
        if (Parts != FlowParts.None)
        {
            // ICMP and ICMPv6: type, code, checksum, id (RFC 792, RFC 4443). A tuple has the id as its source port.
            (int source, int destination) = Parts == FlowParts.Icmp ? (4, 0) : (0, 2);
            ExpressionWriter.LoadPayload(ref writer, PayloadBase.TransportHeader, source, sizeof(ushort), register++);
            ExpressionWriter.LoadPayload(ref writer, PayloadBase.TransportHeader, destination, sizeof(ushort), register);
        }

        ExpressionWriter.Lookup(ref writer, Name);
    }
}

/// <summary>The fields that distinguish flows between the same addresses.</summary>
internal enum FlowParts
{
    /// <summary>Only the protocol.</summary>
    None,

    /// <summary>Protocol and ports.</summary>
    Ports,

    /// <summary>Type, code and id.</summary>
    Icmp,
}
