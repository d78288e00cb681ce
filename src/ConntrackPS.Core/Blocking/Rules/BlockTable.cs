using ConntrackPS.Blocking.Wire;
using ConntrackPS.Conntrack;
using ConntrackPS.Netlink;

namespace ConntrackPS.Blocking.Rules;

/// <summary>The nf_tables table of one block, made bit by bit. It is this socket's alone: no other process can change it,
/// and it goes with the socket, however the process ends.</summary>
internal sealed class BlockTable(NetlinkConnection connection, string name)
{
    private readonly HashSet<string> _chains = [];
    private readonly Dictionary<(ElementType Type, ValueRanges Values), string> _valueSets = [];
    private readonly HashSet<FlowSet> _flowSets = [];
    private uint _lastSetId;

    public string Name { get; } = name;

    /// <summary>Makes the table with its first rules, all at once.</summary>
    /// <exception cref="BlockingUnavailableException">The kernel can't do it.</exception>
    /// <exception cref="NetlinkException">EEXIST: there is a table of that name.</exception>
    public void Create(IReadOnlyList<BlockRule> rules)
    {
        NftTransaction transaction = new(connection);
        transaction.Add(NftMessage.Newtable, MessageFlags.Create | MessageFlags.Exclusive, (ref MessageWriter writer) => NftWriter.Table(ref writer, Name));
        foreach (BlockRule rule in rules)
            AddRule(transaction, rule);
        transaction.Commit();
    }

    /// <summary>Drops the packets of these tuples from now on.</summary>
    public void AddFlows(IEnumerable<ConntrackTuple> tuples)
    {
        NftTransaction transaction = new(connection);
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

        transaction.Commit();
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
