using ConntrackPS.Bpf;
using static ConntrackPS.Bpf.BpfRegister;

namespace ConntrackPS.Conntrack.Walk;

/// <summary>A condition on a record, which the walk's program checks.</summary>
/// <remarks>It uses the registers R1 to R3. The record is at R9.</remarks>
internal abstract record WalkCondition
{
    /// <summary>The register that holds the record.</summary>
    public const BpfRegister Record = R9;

    /// <summary>The parts of the record that must have been read.</summary>
    public virtual EntryParts Parts => EntryParts.None;

    /// <summary>The number of comparisons.</summary>
    public virtual int Length => 1;

    /// <summary>Writes the instructions. They continue at one of the two labels.</summary>
    public abstract void Write(BpfAssembler code, BpfLabel isTrue, BpfLabel isFalse);

    /// <summary>Loads a number of a record.</summary>
    protected static BpfWidth WidthOf(int size) => size switch
    {
        1 => BpfWidth.Byte,
        2 => BpfWidth.Half,
        4 => BpfWidth.Word,
        _ => BpfWidth.Double,
    };

    /// <summary>Compares R1 with a constant of any size.</summary>
    protected static void Compare(BpfAssembler code, BpfCondition condition, ulong value, BpfLabel target)
    {
        if (value <= int.MaxValue)
        {
            code.JumpIf(R1, condition, (int)value, target);
            return;
        }

        code.MoveLong(R2, value);
        code.JumpIf(R1, condition, R2, target);
    }
}

/// <summary>All of several conditions.</summary>
internal sealed record AllOf(IReadOnlyList<WalkCondition> Conditions) : WalkCondition
{
    public override EntryParts Parts => Conditions.Aggregate(EntryParts.None, (parts, condition) => parts | condition.Parts);

    public override int Length => Conditions.Sum(condition => condition.Length);

    public override void Write(BpfAssembler code, BpfLabel isTrue, BpfLabel isFalse)
    {
        foreach (WalkCondition condition in Conditions)
        {
            BpfLabel next = new();
            condition.Write(code, next, isFalse);
            code.Mark(next);
        }

        code.Jump(isTrue);
    }
}

/// <summary>Any of several conditions.</summary>
internal sealed record AnyOf(IReadOnlyList<WalkCondition> Conditions) : WalkCondition
{
    public override EntryParts Parts => Conditions.Aggregate(EntryParts.None, (parts, condition) => parts | condition.Parts);

    public override int Length => Conditions.Sum(condition => condition.Length);

    public override void Write(BpfAssembler code, BpfLabel isTrue, BpfLabel isFalse)
    {
        foreach (WalkCondition condition in Conditions)
        {
            BpfLabel next = new();
            condition.Write(code, isTrue, next);
            code.Mark(next);
        }

        code.Jump(isFalse);
    }
}

/// <summary>The opposite of a condition.</summary>
internal sealed record NotOf(WalkCondition Condition) : WalkCondition
{
    public override EntryParts Parts => Condition.Parts;

    public override int Length => Condition.Length;

    public override void Write(BpfAssembler code, BpfLabel isTrue, BpfLabel isFalse) => Condition.Write(code, isFalse, isTrue);
}

/// <summary>A number whose bits of a mask have a value.</summary>
/// <param name="Offset">Its offset in the record.</param>
/// <param name="Size">Its size: 1, 2, 4 or 8 bytes.</param>
/// <param name="Mask">The bits that count.</param>
/// <param name="Value">Their value.</param>
internal sealed record MaskedEqual(int Offset, int Size, ulong Mask, ulong Value) : WalkCondition
{
    public override void Write(BpfAssembler code, BpfLabel isTrue, BpfLabel isFalse)
    {
        code.Load(WidthOf(Size), R1, Record, Offset);
        ulong all = ulong.MaxValue >> (64 - 8 * Size);
        if ((Mask & all) != all)
        {
            code.MoveLong(R2, Mask & all);
            code.Calculate(BpfOperation.And, R1, R2);
        }

        Compare(code, BpfCondition.NotEqual, Value & all, isFalse);
        code.Jump(isTrue);
    }
}

/// <summary>A number in a range.</summary>
/// <param name="Offset">Its offset in the record.</param>
/// <param name="Size">Its size: 1, 2, 4 or 8 bytes.</param>
/// <param name="First">The smallest number.</param>
/// <param name="Last">The largest number.</param>
/// <param name="IsNetworkOrder">True for a port.</param>
internal sealed record InRange(int Offset, int Size, ulong First, ulong Last, bool IsNetworkOrder = false) : WalkCondition
{
    public override void Write(BpfAssembler code, BpfLabel isTrue, BpfLabel isFalse)
    {
        code.Load(WidthOf(Size), R1, Record, Offset);
        if (IsNetworkOrder)
            code.SwapToNetwork(R1, 8 * Size);
        if (First > 0)
            Compare(code, BpfCondition.Less, First, isFalse);
        if (Last < ulong.MaxValue >> (64 - 8 * Size))
            Compare(code, BpfCondition.Greater, Last, isFalse);
        code.Jump(isTrue);
    }
}

/// <summary>Two numbers of a record that differ.</summary>
internal sealed record Differ(int Left, int Right, int Size) : WalkCondition
{
    public override void Write(BpfAssembler code, BpfLabel isTrue, BpfLabel isFalse)
    {
        code.Load(WidthOf(Size), R1, Record, Left);
        code.Load(WidthOf(Size), R2, Record, Right);
        code.JumpIf(R1, BpfCondition.NotEqual, R2, isTrue);
        code.Jump(isFalse);
    }
}

/// <summary>A part that the entry has.</summary>
internal sealed record HasPart(EntryParts Part) : WalkCondition
{
    public override EntryParts Parts => Part;

    public override void Write(BpfAssembler code, BpfLabel isTrue, BpfLabel isFalse)
    {
        code.Load(BpfWidth.Word, R1, Record, WalkRecord.Parts);
        code.JumpIf(R1, BpfCondition.AnyBit, (int)Part, isTrue);
        code.Jump(isFalse);
    }
}

/// <summary>Two counters whose sum is at least a number.</summary>
internal sealed record SumAtLeast(int Left, int Right, ulong Least) : WalkCondition
{
    public override void Write(BpfAssembler code, BpfLabel isTrue, BpfLabel isFalse)
    {
        code.Load(BpfWidth.Double, R1, Record, Left);
        code.Load(BpfWidth.Double, R2, Record, Right);
        code.Calculate(BpfOperation.Add, R1, R2);
        Compare(code, BpfCondition.GreaterOrEqual, Least, isTrue);
        code.Jump(isFalse);
    }
}

/// <summary>An entry that began before a time that is given for each run of the program.</summary>
/// <param name="LoadTime">Writes the instruction that loads the time, in nanoseconds since 1970.</param>
internal sealed record BeganBefore(Action<BpfAssembler, BpfRegister> LoadTime) : WalkCondition
{
    public override void Write(BpfAssembler code, BpfLabel isTrue, BpfLabel isFalse)
    {
        code.Load(BpfWidth.Double, R1, Record, WalkRecord.Start);
        LoadTime(code, R2);
        code.JumpIf(R1, BpfCondition.Less, R2, isTrue);
        code.Jump(isFalse);
    }
}
