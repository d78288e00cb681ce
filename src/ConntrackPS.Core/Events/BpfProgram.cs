using ConntrackPS.Linux;

namespace ConntrackPS.Events;

/// <summary>Assembles a program of classic BPF (linux/filter.h, linux/bpf_common.h) that reads netlink attributes.</summary>
/// <remarks>Jumps go to labels. A conditional jump reaches 255 instructions, so that each one that leads far away stands
/// before an unconditional one.</remarks>
internal sealed class BpfProgram
{
    /// <summary>BPF_MAXINSNS.</summary>
    public const int MaximumLength = 4096;

    private const ushort LoadWordAbsolute = 0x20;
    private const ushort LoadByteAbsolute = 0x30;
    private const ushort LoadWordIndirect = 0x40;
    private const ushort LoadHalfIndirect = 0x48;
    private const ushort LoadByteIndirect = 0x50;
    private const ushort LoadImmediate = 0x00;
    private const ushort LoadIndexImmediate = 0x01;
    private const ushort TransferToIndex = 0x07;
    private const ushort And = 0x54;
    private const ushort JumpAlways = 0x05;
    private const ushort JumpEqual = 0x15;
    private const ushort JumpGreater = 0x25;
    private const ushort JumpGreaterOrEqual = 0x35;
    private const ushort Return = 0x06;

    /// <summary>SKF_AD_OFF + SKF_AD_NLATTR: the offset of attribute X after offset A, or 0.</summary>
    private const uint FindAttribute = unchecked((uint)(-0x1000 + 12));

    /// <summary>SKF_AD_OFF + SKF_AD_NLATTR_NEST: the offset of attribute X inside the one at offset A, or 0.</summary>
    private const uint FindNestedAttribute = unchecked((uint)(-0x1000 + 16));

    private readonly List<SocketFilter> _instructions = [];
    private readonly List<(int Instruction, Label Target)> _jumps = [];

    /// <summary>A place in the program, perhaps not reached yet.</summary>
    public sealed class Label
    {
        internal int Position { get; set; } = -1;
    }

    public void Mark(Label label) => label.Position = _instructions.Count;

    public void Accept() => Emit(Return, uint.MaxValue);

    public void Reject() => Emit(Return, 0);

    public void Jump(Label target)
    {
        _jumps.Add((_instructions.Count, target));
        Emit(JumpAlways, 0);
    }

    /// <summary>Loads a byte at a fixed offset.</summary>
    public void LoadByteAt(uint offset) => Emit(LoadByteAbsolute, offset);

    /// <summary>Makes the offset of an attribute's value the index, from a path of nested types.</summary>
    /// <param name="firstAttribute">The offset of the message's first attribute.</param>
    /// <param name="path">The types, from the outside in.</param>
    /// <param name="missing">Where to go on where there is no such attribute.</param>
    public void SeekAttribute(uint firstAttribute, ReadOnlySpan<ushort> path, Label missing)
    {
        Emit(LoadImmediate, firstAttribute);
        for (int i = 0; i < path.Length; i++)
        {
            Emit(LoadIndexImmediate, path[i]);
            Emit(LoadWordAbsolute, i == 0 ? FindAttribute : FindNestedAttribute);
            JumpIfEqual(0, missing);
        }

        Emit(TransferToIndex, 0);
    }

    /// <summary>Loads a big-endian word of the attribute that was sought.</summary>
    /// <param name="offset">From the attribute's header.</param>
    public void LoadWord(uint offset) => Emit(LoadWordIndirect, offset);

    public void LoadHalf(uint offset) => Emit(LoadHalfIndirect, offset);

    public void LoadByte(uint offset) => Emit(LoadByteIndirect, offset);

    public void LoadConstant(uint value) => Emit(LoadImmediate, value);

    public void Mask(uint mask)
    {
        if (mask != uint.MaxValue)
            Emit(And, mask);
    }

    public void JumpIfEqual(uint value, Label target) => JumpIf(JumpEqual, value, target, whenTrue: true);

    public void JumpUnlessEqual(uint value, Label target) => JumpIf(JumpEqual, value, target, whenTrue: false);

    public void JumpUnlessInRange(uint first, uint last, Label target)
    {
        JumpIf(JumpGreaterOrEqual, first, target, whenTrue: false);
        JumpIf(JumpGreater, last, target, whenTrue: true);
    }

    /// <summary>The finished program, or null where it is too long for the kernel.</summary>
    public SocketFilter[]? Build()
    {
        if (_instructions.Count > MaximumLength)
            return null;
        SocketFilter[] program = [.. _instructions];
        foreach ((int instruction, Label target) in _jumps)
            program[instruction].Operand = (uint)(target.Position - instruction - 1);
        return program;
    }

    private void JumpIf(ushort comparison, uint value, Label target, bool whenTrue)
    {
        // Over the far jump, or into it.
        _instructions.Add(new SocketFilter
        {
            Code = comparison,
            Operand = value,
            JumpTrue = (byte)(whenTrue ? 0 : 1),
            JumpFalse = (byte)(whenTrue ? 1 : 0),
        });
        Jump(target);
    }

    private void Emit(ushort code, uint operand) => _instructions.Add(new SocketFilter { Code = code, Operand = operand });
}
