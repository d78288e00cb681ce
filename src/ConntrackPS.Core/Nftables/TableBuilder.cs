using ConntrackPS.Conntrack;
using ConntrackPS.Netlink;

namespace ConntrackPS.Nftables;

/// <summary>Adds chains, sets and rules to a table that has only this writer.</summary>
/// <param name="name">The table's name.</param>
internal sealed class TableBuilder(string name)
{
    private readonly HashSet<string> _chains = [];
    private readonly ValueSets _sets = new();
    private uint _lastSetId;

    /// <summary>The table's name.</summary>
    public string Name { get; } = name;

    /// <summary>Starts again with a new table of the name.</summary>
    /// <param name="transaction">The change.</param>
    /// <param name="replaces">True if the kernel has a table of the name, which this change deletes.</param>
    /// <param name="flags">The properties of the table.</param>
    /// <param name="comment">A comment for administrators. Null for none.</param>
    public void Begin(NftTransaction transaction, bool replaces, TableFlags flags, string? comment)
    {
        _chains.Clear();
        _sets.Clear();
        if (replaces)
            transaction.Add(NftMessage.Deltable, MessageFlags.None, (ref MessageWriter writer) => NftWriter.TableName(ref writer, Name));
        transaction.Add(NftMessage.Newtable, MessageFlags.Create | MessageFlags.Exclusive, (ref MessageWriter writer) => NftWriter.Table(ref writer, Name, flags, comment));
    }

    /// <summary>Adds a rule to the end of a chain, and the chain and the sets that it needs.</summary>
    /// <param name="transaction">The change.</param>
    /// <param name="chain">The chain.</param>
    /// <param name="conditions">The conditions. All must match.</param>
    /// <param name="writeStatements">Writes the rest of the rule.</param>
    public void AddRule(
        NftTransaction transaction, BaseChain chain, IReadOnlyList<PacketCondition> conditions, NftTransaction.Body writeStatements)
    {
        if (_chains.Add(chain.Name))
        {
            transaction.Add(NftMessage.Newchain, MessageFlags.Create, (ref MessageWriter writer) =>
                NftWriter.Chain(ref writer, Name, chain.Name, chain.Hook, chain.Priority));
        }

        AddRule(transaction, chain.Name, conditions, writeStatements);
    }

    /// <summary>Adds a rule to the end of a chain that was added before, and the sets that it needs.</summary>
    /// <inheritdoc cref="AddRule(NftTransaction, BaseChain, IReadOnlyList{PacketCondition}, NftTransaction.Body)"/>
    public void AddRule(NftTransaction transaction, string chain, IReadOnlyList<PacketCondition> conditions, NftTransaction.Body writeStatements)
    {
        foreach (ValueCondition condition in conditions.OfType<ValueCondition>())
            AddValues(transaction, condition.Field.Type, condition.Values);
        transaction.Add(NftMessage.Newrule, MessageFlags.Create | MessageFlags.Append, (ref MessageWriter writer) =>
        {
            MessageWriter.Nest expressions = NftWriter.BeginRule(ref writer, Name, chain);
            foreach (PacketCondition condition in conditions)
                condition.Write(ref writer, _sets);
            writeStatements(ref writer);
            writer.EndNest(expressions);
        });
    }

    /// <summary>Adds a chain that rules of other chains lead to. It must be there before they are.</summary>
    public void AddChain(NftTransaction transaction, string chain) =>
        transaction.Add(NftMessage.Newchain, MessageFlags.Create, (ref MessageWriter writer) => NftWriter.Chain(ref writer, Name, chain));

    /// <summary>Adds a set.</summary>
    public void AddSet(NftTransaction transaction, string set, ElementType type, SetFlags flags, uint? size = null) =>
        transaction.Add(NftMessage.Newset, MessageFlags.Create, (ref MessageWriter writer) =>
            NftWriter.Set(ref writer, Name, set, type, flags, ++_lastSetId, size));

    /// <summary>Adds a helper that rules can assign.</summary>
    /// <param name="transaction">The change.</param>
    /// <param name="name">The object's name.</param>
    /// <param name="helper">The helper's name.</param>
    /// <param name="protocol">TCP or UDP.</param>
    public void AddHelper(NftTransaction transaction, string name, string helper, IPProtocol protocol) =>
        transaction.Add(NftMessage.Newobj, MessageFlags.Create, (ref MessageWriter writer) =>
            NftWriter.Helper(ref writer, Name, name, helper, (byte)protocol));

    private void AddValues(NftTransaction transaction, ElementType type, ValueRanges values)
    {
        if (_sets.Add(type, values) is not { } set)
            return;
        AddSet(transaction, set, type, SetFlags.Interval);
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
}

/// <summary>A base chain: where the packets of a hook pass, and when.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Hook">The hook.</param>
/// <param name="Priority">The order among the chains of the hook.</param>
internal readonly record struct BaseChain(string Name, Hook Hook, HookPriority Priority);
