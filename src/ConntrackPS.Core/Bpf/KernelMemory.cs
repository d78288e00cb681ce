using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using static ConntrackPS.Bpf.BpfRegister;

namespace ConntrackPS.Bpf;

/// <summary>Reads memory of the kernel, by address or by the name of a symbol, through small programs.</summary>
/// <remarks>It reads only: no address can make it write, and an invalid one is a failed read.</remarks>
internal sealed class KernelMemory : IDisposable
{
    /// <summary>The longest read, in bytes.</summary>
    public const int LongestRead = 4096;

    // The shared memory: the arguments, the result, and the bytes that were read or the name.
    private const int Address = 0, Length = 8, Result = 16, Task = 24, Ticks = 32, Nanoseconds = 40, Content = 64;
    private const int LongestName = 64;

    private readonly SharedMemory _memory = new(Content + LongestRead);
    private readonly BpfProgram _read;
    private BpfProgram? _find;

    /// <exception cref="BpfException">The kernel refused the program: EPERM without CAP_BPF and CAP_PERFMON, or in lockdown.</exception>
    public KernelMemory()
    {
        try
        {
            _read = BpfProgram.Load(BpfProgramType.RawTracepoint, AssembleRead(_memory.Descriptor));
        }
        catch
        {
            _memory.Dispose();
            throw;
        }
    }

    /// <summary>Reads memory.</summary>
    /// <returns>False if the address is invalid.</returns>
    /// <exception cref="BpfException">The kernel refused to run the program.</exception>
    public bool TryRead(ulong address, Span<byte> destination)
    {
        Span<byte> shared = _memory.Bytes;
        BinaryPrimitives.WriteUInt64LittleEndian(shared[Address..], address);
        BinaryPrimitives.WriteUInt64LittleEndian(shared[Length..], (ulong)destination.Length);
        _read.Run();
        if (BinaryPrimitives.ReadInt64LittleEndian(shared[Result..]) != 0)
            return false;
        shared.Slice(Content, destination.Length).CopyTo(destination);
        return true;
    }

    /// <summary>Reads a word of 64 bits.</summary>
    public bool TryRead(ulong address, out ulong value)
    {
        value = 0;
        return TryRead(address, MemoryMarshal.AsBytes(new Span<ulong>(ref value)));
    }

    /// <summary>The address of the calling thread's task_struct.</summary>
    public ulong CurrentTask()
    {
        _read.Run();
        return BinaryPrimitives.ReadUInt64LittleEndian(_memory.Bytes[Task..]);
    }

    /// <summary>The kernel's timer ticks since it started, with the value that it begins with, and CLOCK_MONOTONIC in nanoseconds.</summary>
    public (ulong Ticks, ulong Nanoseconds) ReadTime()
    {
        _read.Run();
        ReadOnlySpan<byte> shared = _memory.Bytes;
        return (BinaryPrimitives.ReadUInt64LittleEndian(shared[Ticks..]), BinaryPrimitives.ReadUInt64LittleEndian(shared[Nanoseconds..]));
    }

    /// <summary>The address of a symbol. Null if the kernel doesn't list it, or hides addresses from this process (kptr_restrict).</summary>
    /// <remarks>Asks the kernel for one symbol: to read all of /proc/kallsyms takes 40 ms.</remarks>
    /// <exception cref="BpfException">The kernel refused the program.</exception>
    public ulong? FindSymbol(string name)
    {
        _find ??= BpfProgram.Load(BpfProgramType.Syscall, AssembleFind(_memory.Descriptor));
        Span<byte> shared = _memory.Bytes;
        Span<byte> text = shared.Slice(Content, LongestName);
        text.Clear();
        Encoding.ASCII.GetBytes(name, text);
        _find.Run();
        ulong address = BinaryPrimitives.ReadUInt64LittleEndian(shared[Address..]);
        return BinaryPrimitives.ReadInt64LittleEndian(shared[Result..]) == 0 && address != 0 ? address : null;
    }

    public void Dispose()
    {
        _find?.Dispose();
        _read.Dispose();
        _memory.Dispose();
    }

    private static BpfInstruction[] AssembleRead(int memory)
    {
        BpfAssembler code = new();
        BpfLabel isShort = new();
        code.MoveMapValue(R6, memory, 0);
        code.Call(BpfHelper.GetCurrentTask);
        code.Store(BpfWidth.Double, R6, Task, R0);
        code.Call(BpfHelper.Jiffies64);
        code.Store(BpfWidth.Double, R6, Ticks, R0);
        code.Call(BpfHelper.KtimeGetNs);
        code.Store(BpfWidth.Double, R6, Nanoseconds, R0);
        code.Load(BpfWidth.Double, R2, R6, Length);
        code.Load(BpfWidth.Double, R3, R6, Address);

        // The verifier must see that the length has a limit.
        code.JumpIf(R2, BpfCondition.LessOrEqual, LongestRead, isShort);
        code.Return(0);
        code.Mark(isShort);
        code.MoveMapValue(R1, memory, Content);
        code.Call(BpfHelper.ProbeReadKernel);
        code.Store(BpfWidth.Double, R6, Result, R0);
        code.Return(0);
        return code.Build();
    }

    private static BpfInstruction[] AssembleFind(int memory)
    {
        BpfAssembler code = new();
        code.Store(BpfWidth.Double, Frame, -8, 0);
        code.MoveMapValue(R1, memory, Content);
        code.Move(R2, LongestName);
        code.Move(R3, 0);
        code.Move(R4, Frame);
        code.Calculate(BpfOperation.Add, R4, -8);
        code.Call(BpfHelper.KallsymsLookupName);
        code.MoveMapValue(R6, memory, 0);
        code.Store(BpfWidth.Double, R6, Result, R0);
        code.Load(BpfWidth.Double, R1, Frame, -8);
        code.Store(BpfWidth.Double, R6, Address, R1);
        code.Return(0);
        return code.Build();
    }
}
