namespace ConntrackPS.Bpf;

/// <summary>Writes the instructions of a program one after another. Jumps and functions are labels, which may be placed later.</summary>
/// <remarks>Documentation/bpf/standardization/instruction-set.rst of the kernel.</remarks>
internal sealed class BpfAssembler
{
    // The classes of instructions, and their modes.
    private const byte LoadImmediate = 0x18, LoadMemory = 0x61, StoreImmediateToMemory = 0x62, StoreToMemory = 0x63;
    private const byte Alu32 = 0x04, Alu64 = 0x07, Jump64 = 0x05, Jump32 = 0x06;
    private const byte FromRegister = 0x08, CallCode = 0x85, ExitCode = 0x95, JumpAlwaysCode = 0x05, ToBigEndian = 0xdc;

    // Sources of a call or of a long constant that mean something else than a register (BPF_PSEUDO_*).
    private const byte PseudoKernelFunction = 2, PseudoMapValue = 2, PseudoFunction = 4;

    private readonly List<Reference> _references = [];
    private BpfInstruction[] _code = new BpfInstruction[512];

    /// <summary>The number of instructions so far.</summary>
    public int Length { get; private set; }

    /// <summary>Places a label here.</summary>
    public void Mark(BpfLabel label) => label.Position = Length;

    public void Move(BpfRegister destination, BpfRegister source) => Calculate(BpfOperation.Mov, destination, source);

    public void Move(BpfRegister destination, int value) => Calculate(BpfOperation.Mov, destination, value);

    /// <summary>Sets a register to a constant of 64 bits.</summary>
    public void MoveLong(BpfRegister destination, ulong value)
    {
        Emit(LoadImmediate, destination, 0, 0, (int)(uint)value);
        Emit(0, 0, 0, 0, (int)(uint)(value >> 32));
    }

    /// <summary>Sets a register to a place in the value of a map that has one value.</summary>
    public void MoveMapValue(BpfRegister destination, int map, int offset)
    {
        Emit(LoadImmediate, destination, PseudoMapValue, 0, map);
        Emit(0, 0, 0, 0, offset);
    }

    /// <summary>Sets a register to a function of this program.</summary>
    public void MoveFunction(BpfRegister destination, BpfLabel function)
    {
        _references.Add(new Reference(Length, function, IsFunction: true));
        Emit(LoadImmediate, destination, PseudoFunction, 0, 0);
        Emit(0, 0, 0, 0, 0);
    }

    public void Load(BpfWidth width, BpfRegister destination, BpfRegister address, int offset) =>
        Emit((byte)(LoadMemory | (byte)width), destination, (byte)address, checked((short)offset), 0);

    public void Store(BpfWidth width, BpfRegister address, int offset, BpfRegister source) =>
        Emit((byte)(StoreToMemory | (byte)width), address, (byte)source, checked((short)offset), 0);

    public void Store(BpfWidth width, BpfRegister address, int offset, int value) =>
        Emit((byte)(StoreImmediateToMemory | (byte)width), address, 0, checked((short)offset), value);

    public void Calculate(BpfOperation operation, BpfRegister destination, BpfRegister source) =>
        Emit((byte)(Alu64 | FromRegister | (byte)operation), destination, (byte)source, 0, 0);

    public void Calculate(BpfOperation operation, BpfRegister destination, int value) =>
        Emit((byte)(Alu64 | (byte)operation), destination, 0, 0, value);

    /// <summary>Calculates with 32 bits. The upper half of the result is 0.</summary>
    public void CalculateWord(BpfOperation operation, BpfRegister destination, BpfRegister source) =>
        Emit((byte)(Alu32 | FromRegister | (byte)operation), destination, (byte)source, 0, 0);

    public void CalculateWord(BpfOperation operation, BpfRegister destination, int value) =>
        Emit((byte)(Alu32 | (byte)operation), destination, 0, 0, value);

    /// <summary>Converts between the network's byte order and that of the processor, and clears the rest of the register.</summary>
    public void SwapToNetwork(BpfRegister destination, int bits) => Emit(ToBigEndian, destination, 0, 0, bits);

    public void Jump(BpfLabel target) => Refer(JumpAlwaysCode, 0, 0, 0, target);

    public void JumpIf(BpfRegister left, BpfCondition condition, BpfRegister right, BpfLabel target) =>
        Refer((byte)(Jump64 | FromRegister | (byte)condition), left, (byte)right, 0, target);

    /// <param name="left">The register.</param>
    /// <param name="condition">The comparison.</param>
    /// <param name="value">The constant. Its sign is extended.</param>
    /// <param name="target">The place to continue at.</param>
    public void JumpIf(BpfRegister left, BpfCondition condition, int value, BpfLabel target) =>
        Refer((byte)(Jump64 | (byte)condition), left, 0, value, target);

    /// <summary>Compares only the lower 32 bits.</summary>
    public void JumpIfWord(BpfRegister left, BpfCondition condition, int value, BpfLabel target) =>
        Refer((byte)(Jump32 | (byte)condition), left, 0, value, target);

    public void Call(BpfHelper helper) => Emit(CallCode, 0, 0, 0, (int)helper);

    /// <summary>Calls a function that the kernel exports to programs (a kfunc).</summary>
    /// <param name="type">Its number in the kernel's BTF.</param>
    public void CallKernel(uint type) => Emit(CallCode, 0, PseudoKernelFunction, 0, (int)type);

    public void Exit() => Emit(ExitCode, 0, 0, 0, 0);

    /// <summary>Returns a constant.</summary>
    public void Return(int value)
    {
        Move(BpfRegister.R0, value);
        Exit();
    }

    /// <summary>The finished program.</summary>
    /// <exception cref="OverflowException">A jump is too long for the instruction.</exception>
    public BpfInstruction[] Build()
    {
        BpfInstruction[] program = new BpfInstruction[Length];
        Array.Copy(_code, program, Length);
        foreach (Reference reference in _references)
        {
            BpfInstruction old = program[reference.Instruction];
            int distance = reference.Target.Position - reference.Instruction - 1;
            (BpfRegister destination, byte source) = ((BpfRegister)(old.Registers & 0xf), (byte)(old.Registers >> 4));
            program[reference.Instruction] = reference.IsFunction
                ? new BpfInstruction(old.Code, destination, source, 0, distance)
                : new BpfInstruction(old.Code, destination, source, checked((short)distance), old.Immediate);
        }

        return program;
    }

    private void Refer(byte code, BpfRegister left, byte right, int value, BpfLabel target)
    {
        _references.Add(new Reference(Length, target, IsFunction: false));
        Emit(code, left, right, 0, value);
    }

    private void Emit(byte code, BpfRegister destination, byte source, short offset, int immediate)
    {
        if (Length == _code.Length)
            Array.Resize(ref _code, 2 * Length);
        _code[Length++] = new BpfInstruction(code, destination, source, offset, immediate);
    }

    /// <summary>An instruction that refers to a label: a jump, or the address of a function.</summary>
    private sealed record Reference(int Instruction, BpfLabel Target, bool IsFunction);
}

/// <summary>A place in a program, which may not be known yet.</summary>
internal sealed class BpfLabel
{
    internal int Position { get; set; } = -1;
}
