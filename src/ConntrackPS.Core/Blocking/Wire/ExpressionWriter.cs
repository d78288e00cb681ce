using System.Runtime.InteropServices;
using ConntrackPS.Conntrack;
using ConntrackPS.Netlink;

namespace ConntrackPS.Blocking.Wire;

/// <summary>Writes the expressions of a rule: each loads a field into registers, or goes on only if what is there fits.</summary>
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

    /// <param name="writer">Where to.</param>
    /// <param name="key">What of the packet's entry.</param>
    /// <param name="direction">Of which tuple; null for what belongs to the entry as a whole.</param>
    public static void LoadCt(ref MessageWriter writer, CtKey key, TupleDirection? direction)
    {
        Expression expression = Begin(ref writer, "ct");
        writer.PutUInt32((ushort)CtAttribute.Key, (uint)key);
        writer.PutUInt32((ushort)CtAttribute.Dreg, First);
        if (direction is { } tuple)
            writer.PutByte((ushort)CtAttribute.Direction, (byte)tuple);
        End(ref writer, expression);
    }

    /// <summary>Keeps the bits of a mask, in host byte order as the kernel has an entry's status.</summary>
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
        Expression counter = Begin(ref writer, "counter");
        writer.PutUInt64((ushort)CounterExpressionAttribute.Bytes, 0);
        writer.PutUInt64((ushort)CounterExpressionAttribute.Packets, 0);
        End(ref writer, counter);

        Expression immediate = Begin(ref writer, "immediate");
        writer.PutUInt32((ushort)ImmediateAttribute.Dreg, (uint)NftRegister.Verdict);
        MessageWriter.Nest data = writer.BeginNest((ushort)ImmediateAttribute.Data);
        MessageWriter.Nest verdict = writer.BeginNest((ushort)DataAttribute.Verdict);
        writer.PutUInt32((ushort)VerdictAttribute.Code, (uint)PacketVerdict.Drop);
        writer.EndNest(verdict);
        writer.EndNest(data);
        End(ref writer, immediate);
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
