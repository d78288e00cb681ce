using ConntrackPS.Blocking.Wire;
using ConntrackPS.Conntrack;
using ConntrackPS.Netlink;

namespace ConntrackPS.Blocking.Rules;

/// <summary>The nf_tables table of one block. It is this socket's alone: no other process can change it,
/// and it goes with the socket, however the process ends.</summary>
internal sealed class BlockTable(NetlinkConnection connection, string name)
{
    private readonly HashSet<string> _chains = [];
    private readonly Dictionary<(ElementType Type, ValueRanges Values), string> _valueSets = [];
    private readonly HashSet<FlowSet> _flowSets = [];
    private uint _lastSetId;
    private bool _wasBegun;

    public string Name { get; } = name;

    /// <summary>Makes the table, with its rules and with the tuples whose packets it drops, and looks whether the kernel has
    /// it. What may be left of an earlier one goes in the same transaction.</summary>
    /// <exception cref="BlockingUnavailableException">The kernel can't do it.</exception>
    /// <exception cref="BlockLostException">The table is gone already.</exception>
    /// <exception cref="NetlinkException">EEXIST: there is a table of that name which is another's.</exception>
    public void Make(IReadOnlyList<BlockRule> rules, IEnumerable<ConntrackTuple> tuples)
    {
        bool isLeftOver = _wasBegun && IsThere();
        _wasBegun = true;
        _chains.Clear();
        _valueSets.Clear();
        _flowSets.Clear();
        NftTransaction transaction = Begin();
        if (isLeftOver)
            transaction.Add(NftMessage.Deltable, MessageFlags.None, (ref MessageWriter writer) => NftWriter.TableName(ref writer, Name));
        transaction.Add(NftMessage.Newtable, MessageFlags.Create | MessageFlags.Exclusive, (ref MessageWriter writer) => NftWriter.Table(ref writer, Name));
        foreach (BlockRule rule in rules)
            AddRule(transaction, rule);
        AddFlows(transaction, tuples);
        transaction.Commit();
        if (!IsThere())
            throw new BlockLostException(Name);
    }

    /// <summary>Asks the kernel for the table (NFT_MSG_GETTABLE).</summary>
    /// <returns>False where it has none of the name that this socket owns: the table is no more.</returns>
    /// <exception cref="NetlinkException">The kernel refused to tell.</exception>
    public bool IsThere()
    {
        MessageWriter writer = new(new byte[NetlinkBatch.MaximumMessageSize]);
        writer.BeginMessage((ushort)NftMessage.Gettable, MessageFlags.Ack, (byte)NetfilterProtocol.Inet);
        NftWriter.TableName(ref writer, Name);
        writer.EndMessage();
        bool isOurs = false;
        connection.TryRequest(writer.Written.ToArray(), "look for the table of a block", answer => isOurs |= IsOurs(answer));
        return isOurs;
    }

    /// <summary>Drops the packets of these tuples from now on.</summary>
    public void AddFlows(IEnumerable<ConntrackTuple> tuples)
    {
        NftTransaction transaction = Begin();
        AddFlows(transaction, tuples);
        transaction.Commit();
    }

    private NftTransaction Begin() => new(connection, Name, IsThere);

    /// <summary>Whether this socket owns a table that the kernel described (NFTA_TABLE_OWNER).</summary>
    private bool IsOurs(NetlinkMessage table)
    {
        AttributeReader attributes = table.Attributes;
        while (attributes.Read())
        {
            if (attributes.Type == (ushort)TableAttribute.Owner)
                return attributes.UInt32 == connection.PortId;
        }

        return false;
    }

    private void AddFlows(NftTransaction transaction, IEnumerable<ConntrackTuple> tuples)
    {
        foreach (IGrouping<FlowSet, ConntrackTuple> kind in tuples.GroupBy(tuple => FlowSet.Of(tuple)!.Value))
        {
            if (_flowSets.Add(kind.Key))
                AddFlowSet(transaction, kind.Key);

            // Some 70 bytes an element: as many as fit into a message.
            foreach (ConntrackTuple[] chunk in kind.Chunk(NetlinkBatch.MaximumMessageSize / 80))
            {
                transaction.Add(NftMessage.Newsetelem, MessageFlags.Create, (ref MessageWriter writer) =>
                {
                    MessageWriter.Nest elements = NftWriter.BeginElements(ref writer, Name, kind.Key.Name);
                    foreach (ConntrackTuple tuple in chunk)
                        kind.Key.WriteElement(ref writer, tuple);
                    writer.EndNest(elements);
                });
            }
        }
    }

    private void AddFlowSet(NftTransaction transaction, FlowSet set)
    {
        AddSet(transaction, set.Name, set.Type, default);
        AddRule(transaction, BlockStage.Packet, set.WriteLookup);
    }

    private void AddRule(NftTransaction transaction, BlockRule rule)
    {
        foreach (ValueCondition condition in rule.Conditions.OfType<ValueCondition>())
            AddValues(transaction, condition.Field, condition.Values);
        AddRule(transaction, rule.Stage, (ref MessageWriter writer) =>
        {
            foreach (BlockCondition condition in rule.Conditions)
                Write(ref writer, condition);
        });
    }

    private void Write(ref MessageWriter writer, BlockCondition condition)
    {
        switch (condition)
        {
            case FamilyCondition family:
                family.Write(ref writer);
                break;
            case TranslationCondition translation:
                translation.Write(ref writer);
                break;
            case ValueCondition value:
                value.Field.Load(ref writer);
                ExpressionWriter.Lookup(ref writer, _valueSets[(value.Field.Type, value.Values)]);
                break;
        }
    }

    private void AddRule(NftTransaction transaction, BlockStage stage, NftTransaction.Body writeConditions)
    {
        foreach (BlockChain chain in BlockChain.At(stage))
        {
            if (_chains.Add(chain.Name))
            {
                transaction.Add(NftMessage.Newchain, MessageFlags.Create, (ref MessageWriter writer) =>
                    NftWriter.Chain(ref writer, Name, chain.Name, chain.Hook, chain.Priority));
            }

            transaction.Add(NftMessage.Newrule, MessageFlags.Create | MessageFlags.Append, (ref MessageWriter writer) =>
            {
                MessageWriter.Nest expressions = NftWriter.BeginRule(ref writer, Name, chain.Name);
                writeConditions(ref writer);
                ExpressionWriter.CountAndDrop(ref writer);
                writer.EndNest(expressions);
            });
        }
    }

    private void AddValues(NftTransaction transaction, PacketField field, ValueRanges values)
    {
        if (_valueSets.ContainsKey((field.Type, values)))
            return;
        int others = _valueSets.Keys.Count(key => key.Type == field.Type);
        string set = others == 0 ? field.Type.SetName : $"{field.Type.SetName}-{others + 1}";
        _valueSets.Add((field.Type, values), set);
        AddSet(transaction, set, field.Type, SetFlags.Interval);
        foreach ((UInt128 First, UInt128 Last)[] chunk in values.Ranges.Chunk(NetlinkBatch.MaximumMessageSize / 96))
        {
            transaction.Add(NftMessage.Newsetelem, MessageFlags.Create, (ref MessageWriter writer) =>
            {
                MessageWriter.Nest elements = NftWriter.BeginElements(ref writer, Name, set);
                foreach ((UInt128 first, UInt128 last) in chunk)
                {
                    NftWriter.Element(ref writer, values.Bytes(first));
                    if (values.After(last) is { } after)
                        NftWriter.Element(ref writer, values.Bytes(after), SetElementFlags.IntervalEnd);
                }

                writer.EndNest(elements);
            });
        }
    }

    private void AddSet(NftTransaction transaction, string set, ElementType type, SetFlags flags) =>
        transaction.Add(NftMessage.Newset, MessageFlags.Create, (ref MessageWriter writer) =>
            NftWriter.Set(ref writer, Name, set, type, flags, ++_lastSetId));
}
