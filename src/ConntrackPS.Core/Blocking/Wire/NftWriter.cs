using ConntrackPS.Netlink;

namespace ConntrackPS.Blocking.Wire;

/// <summary>Writes the bodies of nf_tables messages (linux/netfilter/nf_tables.h).</summary>
internal static class NftWriter
{
    /// <summary>A table of this socket alone, which the kernel removes with the socket.</summary>
    public static void Table(ref MessageWriter writer, string name)
    {
        writer.PutText((ushort)TableAttribute.Name, name);
        writer.PutUInt32((ushort)TableAttribute.Flags, (uint)TableFlags.Owner);
    }

    /// <summary>Names a table, to ask for it or to delete it.</summary>
    public static void TableName(ref MessageWriter writer, string name) => writer.PutText((ushort)TableAttribute.Name, name);

    /// <summary>A base chain that lets everything through that no rule drops.</summary>
    public static void Chain(ref MessageWriter writer, string table, string name, Hook hook, HookPriority priority)
    {
        writer.PutText((ushort)ChainAttribute.Table, table);
        writer.PutText((ushort)ChainAttribute.Name, name);
        MessageWriter.Nest nest = writer.BeginNest((ushort)ChainAttribute.Hook);
        writer.PutUInt32((ushort)HookAttribute.Hooknum, (uint)hook);
        writer.PutUInt32((ushort)HookAttribute.Priority, (uint)(int)priority);
        writer.EndNest(nest);
        writer.PutUInt32((ushort)ChainAttribute.Policy, (uint)PacketVerdict.Accept);
        writer.PutText((ushort)ChainAttribute.Type, "filter");
    }

    public static void Set(ref MessageWriter writer, string table, string name, ElementType type, SetFlags flags, uint id)
    {
        writer.PutText((ushort)SetAttribute.Table, table);
        writer.PutText((ushort)SetAttribute.Name, name);
        writer.PutUInt32((ushort)SetAttribute.Flags, (uint)flags);
        writer.PutUInt32((ushort)SetAttribute.KeyType, type.Number);
        writer.PutUInt32((ushort)SetAttribute.KeyLen, (uint)type.Length);
        writer.PutUInt32((ushort)SetAttribute.Id, id);
    }

    /// <summary>Starts a list of elements; end it with <see cref="MessageWriter.EndNest"/>.</summary>
    public static MessageWriter.Nest BeginElements(ref MessageWriter writer, string table, string set)
    {
        writer.PutText((ushort)SetElementListAttribute.Table, table);
        writer.PutText((ushort)SetElementListAttribute.Set, set);
        return writer.BeginNest((ushort)SetElementListAttribute.Elements);
    }

    public static void Element(ref MessageWriter writer, scoped ReadOnlySpan<byte> key, SetElementFlags flags = 0)
    {
        MessageWriter.Nest element = writer.BeginNest((ushort)ListAttribute.Elem);
        PutData(ref writer, (ushort)SetElementAttribute.Key, key);
        if (flags != 0)
            writer.PutUInt32((ushort)SetElementAttribute.Flags, (uint)flags);
        writer.EndNest(element);
    }

    /// <summary>Starts a rule's expressions; end them with <see cref="MessageWriter.EndNest"/>.</summary>
    public static MessageWriter.Nest BeginRule(ref MessageWriter writer, string table, string chain)
    {
        writer.PutText((ushort)RuleAttribute.Table, table);
        writer.PutText((ushort)RuleAttribute.Chain, chain);
        return writer.BeginNest((ushort)RuleAttribute.Expressions);
    }

    /// <summary>Asks for the rules of one table.</summary>
    public static void RulesOf(ref MessageWriter writer, string table) => writer.PutText((ushort)RuleAttribute.Table, table);

    /// <summary>A value in NFTA_DATA_VALUE.</summary>
    public static void PutData(ref MessageWriter writer, ushort attribute, scoped ReadOnlySpan<byte> value)
    {
        MessageWriter.Nest data = writer.BeginNest(attribute);
        writer.Put((ushort)DataAttribute.Value, value);
        writer.EndNest(data);
    }
}
