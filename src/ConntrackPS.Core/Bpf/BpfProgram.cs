using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using ConntrackPS.Linux;
using Microsoft.Win32.SafeHandles;

namespace ConntrackPS.Bpf;

/// <summary>The commands of bpf(2) that this library uses (enum bpf_cmd).</summary>
internal enum BpfCommand
{
    /// <summary>BPF_MAP_CREATE.</summary>
    MapCreate = 0,

    /// <summary>BPF_PROG_LOAD.</summary>
    ProgLoad = 5,

    /// <summary>BPF_PROG_TEST_RUN.</summary>
    ProgTestRun = 10,

    /// <summary>BPF_BTF_LOAD.</summary>
    BtfLoad = 18,
}

/// <summary>The kinds of programs that this library loads (enum bpf_prog_type).</summary>
internal enum BpfProgramType
{
    /// <summary>BPF_PROG_TYPE_RAW_TRACEPOINT: runs under the RCU read lock, with preemption disabled.</summary>
    RawTracepoint = 17,

    /// <summary>BPF_PROG_TYPE_SYSCALL: may be preempted (5.14).</summary>
    Syscall = 31,
}

/// <summary>The kernel refused a command of bpf(2).</summary>
/// <param name="operation">The operation, as a phrase that completes "could not ...".</param>
/// <param name="errno">EPERM without CAP_BPF and CAP_PERFMON. EINVAL or EACCES if the verifier refused a program.</param>
/// <param name="log">The end of the verifier's log, or an empty text.</param>
internal sealed class BpfException(string operation, Errno errno, string log = "")
    : Exception($"could not {operation} ({errno.ToKernelName()}){(log.Length == 0 ? "" : ": " + log)}")
{
    public Errno Errno { get; } = errno;
}

/// <summary>Memory that programs and this process share: a map of one value (BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE; 5.5).</summary>
internal sealed unsafe class SharedMemory : IDisposable
{
    private const int ArrayMap = 2;
    private const uint Mmapable = 1 << 10;

    private byte* _start;

    /// <param name="length">The number of bytes.</param>
    /// <exception cref="BpfException">The kernel refused it.</exception>
    public SharedMemory(int length)
    {
        Length = length;
        Span<byte> attributes = stackalloc byte[72];
        attributes.Clear();
        BpfCall.Write(attributes, 0, ArrayMap);
        BpfCall.Write(attributes, 4, sizeof(uint));
        BpfCall.Write(attributes, 8, (uint)length);
        BpfCall.Write(attributes, 12, 1);
        BpfCall.Write(attributes, 16, Mmapable);
        File = BpfCall.Open(BpfCommand.MapCreate, attributes, "create a BPF map");
        _start = LibC.MapShared(File, length);
        if (_start is not null)
            return;
        Errno errno = (Errno)Marshal.GetLastPInvokeError();
        File.Dispose();
        throw new BpfException("map the memory of a BPF map", errno);
    }

    public SafeFileHandle File { get; }

    /// <summary>The number for the instructions of a program.</summary>
    public int Descriptor => (int)File.DangerousGetHandle();

    public int Length { get; }

    public Span<byte> Bytes => _start is null ? throw new ObjectDisposedException(nameof(SharedMemory)) : new Span<byte>(_start, Length);

    public void Dispose()
    {
        if (_start is null)
            return;
        LibC.Unmap(_start, Length);
        _start = null;
        File.Dispose();
    }
}

/// <summary>A program in the kernel. It is run by command (BPF_PROG_TEST_RUN), and attached to nothing.</summary>
internal sealed class BpfProgram : IDisposable
{
    /// <summary>Functions that only GPL programs may call are needed; this is a licence that the kernel accepts for them.</summary>
    private const string Licence = "Dual MIT/GPL";

    /// <summary>BPF_F_SLEEPABLE, which programs of the kind Syscall must have.</summary>
    private const uint Sleepable = 1 << 4;

    private const int LogLength = 64 * 1024;

    private readonly SafeFileHandle _file;

    private BpfProgram(SafeFileHandle file) => _file = file;

    /// <summary>Loads a program.</summary>
    /// <param name="type">Its kind.</param>
    /// <param name="code">Its instructions.</param>
    /// <param name="functions">The first instruction of each function, if there is more than one.</param>
    /// <exception cref="BpfException">The kernel refused it. The message has the end of the verifier's log.</exception>
    public static BpfProgram Load(BpfProgramType type, BpfInstruction[] code, ReadOnlySpan<int> functions = default)
    {
        using SafeFileHandle? types = functions.Length > 1 ? ProgramTypes.Load(functions.Length) : null;
        SafeFileHandle file = Load(type, code, functions, types, null);
        if (!file.IsInvalid)
            return new BpfProgram(file);
        Errno errno = (Errno)Marshal.GetLastPInvokeError();

        // The log costs time, so it is requested only for a program that was refused.
        byte[] log = new byte[LogLength];
        using SafeFileHandle again = Load(type, code, functions, types, log);
        throw new BpfException("load a BPF program", errno, LastLines(log));
    }

    /// <summary>Runs the program once, on the calling thread.</summary>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public void Run()
    {
        Span<byte> attributes = stackalloc byte[80];
        attributes.Clear();
        BpfCall.Write(attributes, 0, (uint)_file.DangerousGetHandle());
        while (BpfCall.Call(BpfCommand.ProgTestRun, attributes) < 0)
        {
            Errno errno = (Errno)Marshal.GetLastPInvokeError();
            if (errno is not (Errno.Interrupted or Errno.TryAgain))
                throw new BpfException("run a BPF program", errno);
        }
    }

    public void Dispose() => _file.Dispose();

    private static unsafe SafeFileHandle Load(BpfProgramType type, BpfInstruction[] code, ReadOnlySpan<int> functions, SafeFileHandle? types, byte[]? log)
    {
        Span<byte> attributes = stackalloc byte[128];
        attributes.Clear();
        fixed (BpfInstruction* instructions = code)
        fixed (byte* licence = Encoding.ASCII.GetBytes(Licence + '\0'), text = log)
        fixed (uint* infos = ProgramTypes.PlacesOf(functions))
        {
            BpfCall.Write(attributes, 0, (uint)type);
            BpfCall.Write(attributes, 4, (uint)code.Length);
            BpfCall.Write(attributes, 8, instructions);
            BpfCall.Write(attributes, 16, licence);
            BpfCall.Write(attributes, 24, log is null ? 0u : 1u);
            BpfCall.Write(attributes, 28, log is null ? 0u : (uint)log.Length);
            BpfCall.Write(attributes, 32, text);
            BpfCall.Write(attributes, 44, type == BpfProgramType.Syscall ? Sleepable : 0u);
            if (types is not null)
            {
                BpfCall.Write(attributes, 72, (uint)types.DangerousGetHandle());
                BpfCall.Write(attributes, 76, 2 * sizeof(uint));
                BpfCall.Write(attributes, 80, infos);
                BpfCall.Write(attributes, 88, (uint)functions.Length);
            }

            return new SafeFileHandle(BpfCall.Call(BpfCommand.ProgLoad, attributes), ownsHandle: true);
        }
    }

    /// <summary>The verifier's last lines, which have the reason, without its statistics.</summary>
    private static string LastLines(byte[] log)
    {
        int end = Array.IndexOf(log, (byte)0);
        string[] lines = [.. Encoding.ASCII.GetString(log, 0, end < 0 ? log.Length : end).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => !line.StartsWith("processed ", StringComparison.Ordinal))];
        return lines.Length == 0 ? "" : lines[^1];
    }

    /// <summary>The types of a program's functions, which the kernel requires if it calls one of them itself.</summary>
    private static class ProgramTypes
    {
        /// <summary>The number of the first function's type. Before it are int and the prototype.</summary>
        private const uint FirstFunction = 3;

        private static readonly string[] Names = ["int", "walk", "step"];

        /// <summary>Loads them (BPF_BTF_LOAD).</summary>
        public static unsafe SafeFileHandle Load(int count)
        {
            byte[] bytes = Describe(count);
            Span<byte> attributes = stackalloc byte[32];
            attributes.Clear();
            fixed (byte* data = bytes)
            {
                BpfCall.Write(attributes, 0, data);
                BpfCall.Write(attributes, 16, (uint)bytes.Length);
                return BpfCall.Open(BpfCommand.BtfLoad, attributes, "load the types of a BPF program");
            }
        }

        /// <summary>The first instruction and the type of each function (struct bpf_func_info).</summary>
        public static uint[] PlacesOf(ReadOnlySpan<int> functions)
        {
            uint[] places = new uint[2 * functions.Length];
            for (int i = 0; i < functions.Length; i++)
                (places[2 * i], places[2 * i + 1]) = ((uint)functions[i], FirstFunction + (uint)i);
            return places;
        }

        private static byte[] Describe(int count)
        {
            ReadOnlySpan<uint> first = [1, (uint)BtfKind.Int << 24, 4, 1 << 24 | 32, 0, (uint)BtfKind.FuncProto << 24, 1];
            uint[] types = new uint[first.Length + 3 * count];
            first.CopyTo(types);
            uint name = 1 + 4;
            for (int i = 0, place = first.Length; i < count; i++)
            {
                (types[place++], types[place++], types[place++]) = (name, (uint)BtfKind.Func << 24, 2);
                name += (uint)Names[1 + i].Length + 1;
            }

            byte[] strings = Encoding.ASCII.GetBytes('\0' + string.Join('\0', Names) + '\0');
            uint length = (uint)types.Length * sizeof(uint);
            return [.. MemoryMarshal.AsBytes<uint>([BtfFile.Magic | 1 << 16, BtfFile.HeaderLength, 0, length, length, (uint)strings.Length]),
                .. MemoryMarshal.AsBytes<uint>(types), .. strings];
        }
    }
}

/// <summary>bpf(2). Its argument is union bpf_attr (linux/bpf.h), which the callers fill at the offsets of their command's struct.</summary>
internal static unsafe class BpfCall
{
    public static void Write(Span<byte> attributes, int offset, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(attributes[offset..], value);

    public static void Write(Span<byte> attributes, int offset, void* pointer) =>
        BinaryPrimitives.WriteUInt64LittleEndian(attributes[offset..], (ulong)pointer);

    public static int Call(BpfCommand command, ReadOnlySpan<byte> attributes) => LibC.Bpf((int)command, attributes);

    /// <exception cref="BpfException">The kernel refused.</exception>
    public static SafeFileHandle Open(BpfCommand command, ReadOnlySpan<byte> attributes, string operation)
    {
        int descriptor = Call(command, attributes);
        return descriptor >= 0
            ? new SafeFileHandle(descriptor, ownsHandle: true)
            : throw new BpfException(operation, (Errno)Marshal.GetLastPInvokeError());
    }
}
