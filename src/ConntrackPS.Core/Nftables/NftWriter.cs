using System.Runtime.InteropServices;
using System.Text;
using ConntrackPS.Conntrack;
using ConntrackPS.Netlink;

namespace ConntrackPS.Nftables;

/// <summary>Writes the bodies of nf_tables messages (linux/netfilter/nf_tables.h).</summary>
internal static class NftWriter
{
    /// <summary>The most bytes of a comment that nft shows (NFTNL_UDATA_COMMENT_MAXLEN of libnftnl), with the NUL at the end.</summary>
    private const int LongestComment = 128;

    /// <param name="writer">The writer.</param>
    /// <param name="name">The table's name.</param>
    /// <param name="flags">With <see cref="TableFlags.Owner"/> the table belongs only to this socket, and goes with it.</param>
    /// <param name="comment">A comment for administrators, which is cut if it is too long. Null for none.</param>
    public static void Table(ref MessageWriter writer, string name, TableFlags flags, string? comment = null)
    {
        writer.PutText((ushort)TableAttribute.Name, name);
        writer.PutUInt32((ushort)TableAttribute.Flags, (uint)flags);
        if (comment is not null)
            writer.Put((ushort)TableAttribute.Userdata, UserData.Comment(comment, LongestComment));
    }

    /// <summary>The name of a table, to request it or to delete it.</summary>
    public static void TableName(ref MessageWriter writer, string name) => writer.PutText((ushort)TableAttribute.Name, name);

    /// <summary>A base chain that accepts every packet that no rule drops.</summary>
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

    /// <summary>A chain that only other chains lead to.</summary>
    public static void Chain(ref MessageWriter writer, string table, string name)
    {
        writer.PutText((ushort)ChainAttribute.Table, table);
        writer.PutText((ushort)ChainAttribute.Name, name);
    }

    /// <param name="writer">The writer.</param>
    /// <param name="table">The table.</param>
    /// <param name="name">The set's name.</param>
    /// <param name="type">The type of its elements.</param>
    /// <param name="flags">Its properties.</param>
    /// <param name="id">A number of the set in its transaction.</param>
    /// <param name="size">The maximum number of elements; null for no limit.</param>
    public static void Set(ref MessageWriter writer, string table, string name, ElementType type, SetFlags flags, uint id, uint? size = null)
    {
        writer.PutText((ushort)SetAttribute.Table, table);
        writer.PutText((ushort)SetAttribute.Name, name);
        writer.PutUInt32((ushort)SetAttribute.Flags, (uint)flags);
        writer.PutUInt32((ushort)SetAttribute.KeyType, type.Number);
        writer.PutUInt32((ushort)SetAttribute.KeyLen, (uint)type.Length);
        writer.PutUInt32((ushort)SetAttribute.Id, id);
        if (size is not { } elements)
            return;
        MessageWriter.Nest description = writer.BeginNest((ushort)SetAttribute.Desc);
        writer.PutUInt32((ushort)SetDescriptionAttribute.Size, elements);
        writer.EndNest(description);
    }

    /// <summary>A helper that rules of the table can assign, for both address families.</summary>
    public static void Helper(ref MessageWriter writer, string table, string name, string helper, byte protocol)
    {
        writer.PutText((ushort)ObjectAttribute.Table, table);
        writer.PutText((ushort)ObjectAttribute.Name, name);
        writer.PutUInt32((ushort)ObjectAttribute.Type, (uint)ObjectType.CtHelper);
        MessageWriter.Nest data = writer.BeginNest((ushort)ObjectAttribute.Data);
        writer.PutText((ushort)HelperObjectAttribute.Name, helper);
        writer.PutByte((ushort)HelperObjectAttribute.L4proto, protocol);
        writer.EndNest(data);
    }

    /// <summary>Starts a list of elements. End it with <see cref="MessageWriter.EndNest"/>.</summary>
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

    /// <summary>Starts a rule's expressions. End them with <see cref="MessageWriter.EndNest"/>.</summary>
    public static MessageWriter.Nest BeginRule(ref MessageWriter writer, string table, string chain)
    {
        writer.PutText((ushort)RuleAttribute.Table, table);
        writer.PutText((ushort)RuleAttribute.Chain, chain);
        return writer.BeginNest((ushort)RuleAttribute.Expressions);
    }

    /// <summary>Requests the rules of one table.</summary>
    public static void RulesOf(ref MessageWriter writer, string table) => writer.PutText((ushort)RuleAttribute.Table, table);

    /// <summary>A value in NFTA_DATA_VALUE.</summary>
    public static void PutData(ref MessageWriter writer, ushort attribute, scoped ReadOnlySpan<byte> value)
    {
        MessageWriter.Nest data = writer.BeginNest(attribute);
        writer.Put((ushort)DataAttribute.Value, value);
        writer.EndNest(data);
    }
}

/// <summary>The data that the kernel keeps for nft, in attributes of its own: a type, a length and the value, a byte each for the first
/// two (struct nftnl_udata of libnftnl).</summary>
internal static class UserData
{
    /// <summary>NFTNL_UDATA_TABLE_COMMENT: a text that ends with NUL.</summary>
    private const byte CommentType = 0;

    private const int Header = 2;

    /// <summary>A comment, cut if it is longer than a number of bytes.</summary>
    public static byte[] Comment(string text, int longest)
    {
        const string Cut = "...";
        while (Encoding.UTF8.GetByteCount(text) + 1 > longest)
            text = text[..^(text.EndsWith(Cut, StringComparison.Ordinal) ? Cut.Length + 1 : Cut.Length)] + Cut;
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        return [CommentType, (byte)(bytes.Length + 1), .. bytes, 0];
    }

    /// <summary>The comment in the data of a table. Null if there is none.</summary>
    public static string? CommentIn(ReadOnlySpan<byte> data)
    {
        while (data.Length >= Header && data.Length >= Header + data[1])
        {
            ReadOnlySpan<byte> value = data.Slice(Header, data[1]);
            if (data[0] == CommentType)
                return Encoding.UTF8.GetString(value.TrimEnd((byte)0));
            data = data[(Header + value.Length)..];
        }

        return null;
    }
}

/// <summary>Writes the expressions of a rule. Each loads a field into registers, or continues only if the registers match.</summary>
internal static class ExpressionWriter
{
    private const uint First = (uint)NftRegister.First;

    public static void LoadMeta(ref MessageWriter writer, MetaKey key, uint register = First)
    {
        Expression expression = Begin(ref writer, "meta");
        writer.PutUInt32((ushort)MetaAttribute.Key, (uint)key);
        writer.PutUInt32((ushort)MetaAttribute.Dreg, register);
        End(ref writer, expression);
    }

    public static void LoadPayload(ref MessageWriter writer, PayloadBase header, int offset, int length, uint register = First)
    {
        Expression expression = Begin(ref writer, "payload");
        writer.PutUInt32((ushort)PayloadAttribute.Dreg, register);
        writer.PutUInt32((ushort)PayloadAttribute.Base, (uint)header);
        writer.PutUInt32((ushort)PayloadAttribute.Offset, (uint)offset);
        writer.PutUInt32((ushort)PayloadAttribute.Len, (uint)length);
        End(ref writer, expression);
    }

    /// <param name="writer">The writer.</param>
    /// <param name="key">The field of the packet's entry.</param>
    /// <param name="direction">The tuple, or null for a field of the whole entry.</param>
    public static void LoadCt(ref MessageWriter writer, CtKey key, TupleDirection? direction)
    {
        Expression expression = Begin(ref writer, "ct");
        writer.PutUInt32((ushort)CtAttribute.Key, (uint)key);
        writer.PutUInt32((ushort)CtAttribute.Dreg, First);
        if (direction is { } tuple)
            writer.PutByte((ushort)CtAttribute.Direction, (byte)tuple);
        End(ref writer, expression);
    }

    /// <summary>Keeps the bits of a mask. An entry's status is in host byte order.</summary>
    public static void Mask(ref MessageWriter writer, uint bits)
    {
        Expression expression = Begin(ref writer, "bitwise");
        writer.PutUInt32((ushort)BitwiseAttribute.Sreg, First);
        writer.PutUInt32((ushort)BitwiseAttribute.Dreg, First);
        writer.PutUInt32((ushort)BitwiseAttribute.Len, sizeof(uint));
        NftWriter.PutData(ref writer, (ushort)BitwiseAttribute.Mask, MemoryMarshal.AsBytes([bits]));
        NftWriter.PutData(ref writer, (ushort)BitwiseAttribute.Xor, MemoryMarshal.AsBytes([0u]));
        End(ref writer, expression);
    }

    /// <summary>Continues only if none (Eq) or some (Neq) of the bits are set in a field of the packet's entry.</summary>
    public static void TestBits(ref MessageWriter writer, CtKey key, uint bits, CompareOperator comparison)
    {
        LoadCt(ref writer, key, direction: null);
        Mask(ref writer, bits);
        Compare(ref writer, comparison, [0, 0, 0, 0]);
    }

    public static void Compare(ref MessageWriter writer, CompareOperator comparison, scoped ReadOnlySpan<byte> value)
    {
        Expression expression = Begin(ref writer, "cmp");
        writer.PutUInt32((ushort)CompareAttribute.Sreg, First);
        writer.PutUInt32((ushort)CompareAttribute.Op, (uint)comparison);
        NftWriter.PutData(ref writer, (ushort)CompareAttribute.Data, value);
        End(ref writer, expression);
    }

    public static void Lookup(ref MessageWriter writer, string set)
    {
        Expression expression = Begin(ref writer, "lookup");
        writer.PutText((ushort)LookupAttribute.Set, set);
        writer.PutUInt32((ushort)LookupAttribute.Sreg, First);
        End(ref writer, expression);
    }

    /// <summary>Counts the packet and drops it.</summary>
    public static void CountAndDrop(ref MessageWriter writer)
    {
        Count(ref writer);
        Drop(ref writer);
    }

    /// <summary>Counts the packet.</summary>
    public static void Count(ref MessageWriter writer)
    {
        Expression counter = Begin(ref writer, "counter");
        writer.PutUInt64((ushort)CounterExpressionAttribute.Bytes, 0);
        writer.PutUInt64((ushort)CounterExpressionAttribute.Packets, 0);
        End(ref writer, counter);
    }

    /// <summary>Drops the packet.</summary>
    public static void Drop(ref MessageWriter writer) => Verdict(ref writer, (int)PacketVerdict.Drop);

    /// <summary>Ends the packet's way through the chains of this hook that belong to the table. Other tables still see it.</summary>
    public static void Accept(ref MessageWriter writer) => Verdict(ref writer, (int)PacketVerdict.Accept);

    /// <summary>Continues in another chain of the table, and does not come back.</summary>
    public static void Goto(ref MessageWriter writer, string chain) => Verdict(ref writer, (int)ChainVerdict.Goto, chain);

    private static void Verdict(ref MessageWriter writer, int code, string? chain = null)
    {
        Expression immediate = Begin(ref writer, "immediate");
        writer.PutUInt32((ushort)ImmediateAttribute.Dreg, (uint)NftRegister.Verdict);
        MessageWriter.Nest data = writer.BeginNest((ushort)ImmediateAttribute.Data);
        MessageWriter.Nest verdict = writer.BeginNest((ushort)DataAttribute.Verdict);
        writer.PutUInt32((ushort)VerdictAttribute.Code, (uint)code);
        if (chain is not null)
            writer.PutText((ushort)VerdictAttribute.Chain, chain);
        writer.EndNest(verdict);
        writer.EndNest(data);
        End(ref writer, immediate);
    }

    /// <summary>Leaves the packet to no connection.</summary>
    public static void NoTrack(ref MessageWriter writer) => End(ref writer, Begin(ref writer, "notrack"));

    /// <summary>Gives the connection a helper of the table.</summary>
    /// <param name="writer">The writer.</param>
    /// <param name="helper">The name of the <c>ct helper</c> object.</param>
    public static void SetHelper(ref MessageWriter writer, string helper)
    {
        Expression reference = Begin(ref writer, "objref");
        writer.PutUInt32((ushort)ObjectReferenceAttribute.ImmType, (uint)ObjectType.CtHelper);
        writer.PutText((ushort)ObjectReferenceAttribute.ImmName, helper);
        End(ref writer, reference);
    }

    /// <summary>Counts the connection in the set's element of the key in the registers, and continues only if there are more than a
    /// number.</summary>
    public static void CountConnections(ref MessageWriter writer, string set, uint maximum)
    {
        Expression dynset = Begin(ref writer, "dynset");
        writer.PutText((ushort)DynamicSetAttribute.SetName, set);
        writer.PutUInt32((ushort)DynamicSetAttribute.Operation, (uint)DynamicSetOperation.Add);
        writer.PutUInt32((ushort)DynamicSetAttribute.SregKey, First);
        MessageWriter.Nest inner = writer.BeginNest((ushort)DynamicSetAttribute.Expression);
        writer.PutText((ushort)ExpressionAttribute.Name, "connlimit");
        MessageWriter.Nest data = writer.BeginNest((ushort)ExpressionAttribute.Data);
        writer.PutUInt32((ushort)ConnlimitAttribute.Count, maximum);
        writer.PutUInt32((ushort)ConnlimitAttribute.Flags, (uint)ConnlimitFlags.Over);
        writer.EndNest(data);
        writer.EndNest(inner);
        End(ref writer, dynset);
    }

    /// <summary>Refuses the packet: TCP by a reset, other protocols by port unreachable.</summary>
    public static void Reject(ref MessageWriter writer, RejectType type)
    {
        const byte PortUnreachable = 1;
        Expression reject = Begin(ref writer, "reject");
        writer.PutUInt32((ushort)RejectAttribute.Type, (uint)type);
        if (type == RejectType.IcmpxUnreach)
            writer.PutByte((ushort)RejectAttribute.IcmpCode, PortUnreachable);
        End(ref writer, reject);
    }

    /// <summary>Keeps the bits of a mask of an address.</summary>
    public static void MaskAddress(ref MessageWriter writer, scoped ReadOnlySpan<byte> mask)
    {
        Expression expression = Begin(ref writer, "bitwise");
        writer.PutUInt32((ushort)BitwiseAttribute.Sreg, First);
        writer.PutUInt32((ushort)BitwiseAttribute.Dreg, First);
        writer.PutUInt32((ushort)BitwiseAttribute.Len, (uint)mask.Length);
        NftWriter.PutData(ref writer, (ushort)BitwiseAttribute.Mask, mask);
        NftWriter.PutData(ref writer, (ushort)BitwiseAttribute.Xor, stackalloc byte[mask.Length]);
        End(ref writer, expression);
    }

    private static Expression Begin(ref MessageWriter writer, string name)
    {
        MessageWriter.Nest element = writer.BeginNest((ushort)ListAttribute.Elem);
        writer.PutText((ushort)ExpressionAttribute.Name, name);
        return new Expression(element, writer.BeginNest((ushort)ExpressionAttribute.Data));
    }

    private static void End(ref MessageWriter writer, Expression expression)
    {
        writer.EndNest(expression.Data);
        writer.EndNest(expression.Element);
    }

    private readonly record struct Expression(MessageWriter.Nest Element, MessageWriter.Nest Data);
}

/// <summary>The type of a set's elements. The kernel uses the length. Only nft uses the number, to display elements (enum datatypes of
/// nftables' datatype.h; shifted by TYPE_BITS in a concatenation).</summary>
/// <param name="Number">The number in nft.</param>
/// <param name="Length">The length of a value, in bytes.</param>
/// <param name="SetName">The name for sets of this type.</param>
internal readonly record struct ElementType(uint Number, int Length, string SetName = "")
{
    private const int BitsPerType = 6;
    private const int RegisterLength = 4;

    public static readonly ElementType IPv4Address = new(7, 4, "addresses");
    public static readonly ElementType IPv6Address = new(8, 16, "addresses6");
    public static readonly ElementType Protocol = new(12, 1, "protocols");
    public static readonly ElementType Service = new(13, 2, "ports");

    /// <summary>The type of several concatenated fields, each in whole registers.</summary>
    public static ElementType Concat(IEnumerable<ElementType> parts) => parts.Aggregate(
        default(ElementType),
        (whole, part) => new ElementType(whole.Number << BitsPerType | part.Number, whole.Length + Registers(part.Length) * RegisterLength));

    /// <summary>The number of 4-byte registers for a value.</summary>
    public static int Registers(int length) => (length + RegisterLength - 1) / RegisterLength;
}
