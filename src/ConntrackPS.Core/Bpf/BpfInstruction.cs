using System.Runtime.InteropServices;

namespace ConntrackPS.Bpf;

/// <summary>The registers of BPF (linux/bpf.h). A call takes its arguments in R1 to R5, returns its result in R0, and keeps R6 to
/// R9.</summary>
internal enum BpfRegister : byte
{
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,

    /// <summary>The end of the stack. Only negative offsets from it are valid.</summary>
    Frame,
}

/// <summary>The width of a load or store (BPF_SIZE).</summary>
internal enum BpfWidth : byte
{
    /// <summary>BPF_W: 4 bytes.</summary>
    Word = 0x00,

    /// <summary>BPF_H: 2 bytes.</summary>
    Half = 0x08,

    /// <summary>BPF_B: 1 byte.</summary>
    Byte = 0x10,

    /// <summary>BPF_DW: 8 bytes.</summary>
    Double = 0x18,
}

/// <summary>Arithmetic (BPF_OP of BPF_ALU and BPF_ALU64).</summary>
internal enum BpfOperation : byte
{
    /// <summary>BPF_ADD.</summary>
    Add = 0x00,

    /// <summary>BPF_SUB.</summary>
    Sub = 0x10,

    /// <summary>BPF_OR.</summary>
    Or = 0x40,

    /// <summary>BPF_AND.</summary>
    And = 0x50,

    /// <summary>BPF_LSH: a shift to the left.</summary>
    Lsh = 0x60,

    /// <summary>BPF_RSH: an unsigned shift to the right.</summary>
    Rsh = 0x70,

    /// <summary>BPF_MOV.</summary>
    Mov = 0xb0,
}

/// <summary>The condition of a jump (BPF_OP of BPF_JMP and BPF_JMP32).</summary>
internal enum BpfCondition : byte
{
    /// <summary>BPF_JEQ.</summary>
    Equal = 0x10,

    /// <summary>BPF_JGT: greater, unsigned.</summary>
    Greater = 0x20,

    /// <summary>BPF_JGE: greater or equal, unsigned.</summary>
    GreaterOrEqual = 0x30,

    /// <summary>BPF_JSET: any of these bits is set.</summary>
    AnyBit = 0x40,

    /// <summary>BPF_JNE.</summary>
    NotEqual = 0x50,

    /// <summary>BPF_JLT: less, unsigned.</summary>
    Less = 0xa0,

    /// <summary>BPF_JLE: less or equal, unsigned.</summary>
    LessOrEqual = 0xb0,

    /// <summary>BPF_JSLE: less or equal, signed.</summary>
    SignedLessOrEqual = 0xd0,
}

/// <summary>The functions of the kernel that programs call here (enum bpf_func_id).</summary>
internal enum BpfHelper
{
    /// <summary>BPF_FUNC_ktime_get_ns: CLOCK_MONOTONIC, in nanoseconds.</summary>
    KtimeGetNs = 5,

    /// <summary>BPF_FUNC_get_current_task: the address of the calling thread's task_struct.</summary>
    GetCurrentTask = 35,

    /// <summary>BPF_FUNC_probe_read_kernel: copies memory of the kernel. An invalid address is an error, not a fault (5.5).</summary>
    ProbeReadKernel = 113,

    /// <summary>BPF_FUNC_jiffies64: the kernel's timer ticks (5.6).</summary>
    Jiffies64 = 118,

    /// <summary>BPF_FUNC_kallsyms_lookup_name: the address of a symbol (5.16).</summary>
    KallsymsLookupName = 179,

    /// <summary>BPF_FUNC_loop: calls a function of the program again and again (5.17).</summary>
    Loop = 181,
}

/// <summary>struct bpf_insn (linux/bpf.h).</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct BpfInstruction(byte code, BpfRegister destination, byte source, short offset, int immediate)
{
    public readonly byte Code = code;

    /// <summary>The destination in the lower half, the source in the upper one, as all little-endian processors have it.</summary>
    public readonly byte Registers = (byte)((byte)destination | source << 4);
    public readonly short Offset = offset;
    public readonly int Immediate = immediate;
}
