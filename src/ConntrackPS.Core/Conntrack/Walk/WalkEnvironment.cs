using System.Runtime.InteropServices;
using ConntrackPS.Bpf;
using ConntrackPS.Linux;

namespace ConntrackPS.Conntrack.Walk;

/// <summary>The table can't be walked in the kernel, or the walk failed.</summary>
/// <param name="reason">The reason, as a sentence without its point.</param>
/// <param name="cause">The error, if any.</param>
public sealed class WalkUnavailableException(string reason, Exception? cause = null)
    : Exception($"The table can't be walked in the kernel: {reason}.", cause)
{
    /// <summary>The reason, as a sentence without its point.</summary>
    public string Reason { get; } = reason;
}

/// <summary>The facts about the running kernel that a walk needs.</summary>
/// <param name="Layout">The places of an entry's values.</param>
/// <param name="Addresses">The place of the table.</param>
/// <param name="TicksPerSecond">The frequency of the kernel's timer (HZ).</param>
internal sealed record WalkEnvironment(WalkLayout Layout, TableAddresses Addresses, uint TicksPerSecond)
{
    private static readonly object Gate = new();
    private static WalkEnvironment? _running;
    private static WalkUnavailableException? _failure;
    private static KernelMemory? _memory;
    private static EntryIds? _ids;
    private static WalkAccess _access;

    /// <summary>The way to read memory that is tried first.</summary>
    public WalkAccess FirstAccess { get; init; }

    /// <summary>The running kernel. It is looked up once in a process, because that takes longer than to read a small table.</summary>
    /// <exception cref="WalkUnavailableException">The kernel or the process lacks something.</exception>
    public static WalkEnvironment Running
    {
        get
        {
            lock (Gate)
            {
                if (_failure is not null)
                    throw new WalkUnavailableException(_failure.Reason, _failure);
                try
                {
                    if (_running is null)
                        (_running, _memory) = WalkSearch.Find();
                    return _running;
                }
                catch (WalkUnavailableException exception)
                {
                    _failure = exception;
                    throw;
                }
            }
        }
    }

    /// <summary>Starts to look up the running kernel on another thread, and does not wait.</summary>
    public static void Prepare()
    {
        if (_running is null && _failure is null)
            Task.Run(Find);

        static void Find()
        {
            try
            {
                _ = Running;
            }
            catch (WalkUnavailableException)
            {
                // Who needs it learns the reason.
            }
        }
    }

    /// <summary>The network namespace of the calling thread, as the kernel's address of it.</summary>
    /// <exception cref="WalkUnavailableException">It can't be read.</exception>
    public ulong CurrentNet()
    {
        lock (Gate)
        {
            return _memory!.TryRead(_memory.CurrentTask() + (ulong)Layout.NamespacesOfTask, out ulong namespaces)
                && _memory.TryRead(namespaces + (ulong)Layout.NetOfNamespaces, out ulong net)
                ? net
                : throw new WalkUnavailableException("the kernel's address of the network namespace can't be read");
        }
    }

    /// <summary>Finds the key of ids.</summary>
    /// <param name="takeSamples">Reads records, and the ids that netlink sends for their entries.</param>
    /// <exception cref="WalkUnavailableException">The key was not found.</exception>
    public static EntryIds FindIds(Func<IReadOnlyList<(byte[] Record, uint Id)>> takeSamples)
    {
        lock (Gate)
        {
            return _ids ??= EntryIds.Find(_memory!, new AddressFinder(_memory!, WalkSearch.ReadBuckets()), takeSamples())
                ?? throw new WalkUnavailableException("the key that the kernel makes ids with was not found");
        }
    }

    /// <summary>Loads a program in the best way that the kernel accepts.</summary>
    /// <exception cref="WalkUnavailableException">It accepts none. The message has the verifier's reason.</exception>
    public WalkProgram Load(EntryParts parts, WalkFilter filter, int sliceLength, int slices)
    {
        WalkAccess first = (WalkAccess)Math.Max((int)FirstAccess, (int)_access);
        if (first == WalkAccess.Preemptible && (Layout.ReadLock is null || !Layout.HasCast))
            first = WalkAccess.Direct;
        if (first == WalkAccess.Direct && !Layout.HasCast)
            first = WalkAccess.Copying;
        for (WalkAccess access = first; ; access++)
        {
            try
            {
                WalkProgram program = new(this, access, parts, filter, sliceLength, slices);
                if (access > FirstAccess)
                    _access = access;
                return program;
            }
            catch (BpfException exception) when (exception.Errno != Errno.NotPermitted && access < WalkAccess.Copying)
            {
                // An older verifier may refuse what a newer one accepts.
            }
            catch (BpfException exception)
            {
                throw new WalkUnavailableException(WalkSearch.Describe(exception), exception);
            }
        }
    }
}

/// <summary>Looks up all that a walk needs, and says what is missing.</summary>
internal static class WalkSearch
{
    private const string Types = "/sys/kernel/btf/vmlinux", ModuleTypes = "/sys/kernel/btf/nf_conntrack";

    /// <summary>The frequencies that kernels are built with.</summary>
    private static readonly uint[] Frequencies = [100, 250, 300, 1000, 24, 48, 128, 200, 256, 500, 512, 1024, 1200];

    /// <exception cref="WalkUnavailableException">Something is missing.</exception>
    public static (WalkEnvironment Environment, KernelMemory Memory) Find()
    {
        // Both take about as long, most of it to compile their code.
        Task<WalkLayout> reading = Task.Run(() => ReadLayout(Types, ModuleTypes));
        KernelMemory memory = OpenMemory();
        try
        {
            TableAddresses addresses = FindAddresses(memory);
            (ulong ticks, ulong nanoseconds) = memory.ReadTime();
            uint frequency = FrequencyOf(ticks, nanoseconds) ?? throw new WalkUnavailableException("the frequency of the kernel's timer is unknown");
            return (new WalkEnvironment(reading.GetAwaiter().GetResult(), addresses, frequency), memory);
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    private static TableAddresses FindAddresses(KernelMemory memory)
    {
        try
        {
            return new AddressFinder(memory, ReadBuckets()).Find()
                ?? throw new WalkUnavailableException("the address of the table (nf_conntrack_hash) was not found, or the kernel hides addresses from this process (kptr_restrict)");
        }
        catch (BpfException exception)
        {
            throw new WalkUnavailableException(Describe(exception), exception);
        }
    }

    /// <exception cref="WalkUnavailableException">The process may not run BPF programs, or the processor is another one.</exception>
    public static KernelMemory OpenMemory()
    {
        if (RuntimeInformation.ProcessArchitecture is not (Architecture.X64 or Architecture.Arm64))
            throw new WalkUnavailableException("it is written for x86-64 and arm64");
        try
        {
            return new KernelMemory();
        }
        catch (BpfException exception)
        {
            throw new WalkUnavailableException(Describe(exception), exception);
        }
    }

    /// <exception cref="WalkUnavailableException">A file is missing or malformed, or the kernel has other types.</exception>
    internal static WalkLayout ReadLayout(string types, string moduleTypes)
    {
        try
        {
            BtfFile kernel = new(File.ReadAllBytes(types), WalkLayout.Wanted);
            return new WalkLayout(kernel, File.Exists(moduleTypes) ? new BtfFile(File.ReadAllBytes(moduleTypes), WalkLayout.Wanted, kernel) : null);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new WalkUnavailableException("the kernel does not describe its types (CONFIG_DEBUG_INFO_BTF)", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new WalkUnavailableException($"{types} can't be read: {exception.Message.TrimEnd('.')}", exception);
        }
        catch (FormatException exception)
        {
            throw new WalkUnavailableException(char.ToLowerInvariant(exception.Message[0]) + exception.Message[1..].TrimEnd('.'), exception);
        }
    }

    /// <summary>The number of buckets of the table.</summary>
    /// <exception cref="WalkUnavailableException">It can't be read.</exception>
    public static long ReadBuckets() => Sysctl.ReadNumber(Sysctl.Netfilter + "nf_conntrack_buckets") is { } buckets and > 0
        ? buckets
        : throw new WalkUnavailableException("the number of buckets (nf_conntrack_buckets) can't be read");

    /// <summary>The timer's frequency: the kernel counts its ticks from five minutes before 2^32 (INITIAL_JIFFIES), and its clock from 0.</summary>
    internal static uint? FrequencyOf(ulong ticks, ulong nanoseconds)
    {
        const ulong NanosecondsOfMillisecond = 1_000_000, MillisecondsOfSecond = 1000;
        foreach (uint frequency in Frequencies)
        {
            ulong passed = ticks - ((1UL << 32) - 300 * frequency);
            ulong expected = nanoseconds / NanosecondsOfMillisecond * frequency / MillisecondsOfSecond;
            ulong difference = passed > expected ? passed - expected : expected - passed;
            if (difference <= 3 * frequency + expected / 1000)
                return frequency;
        }

        return null;
    }

    /// <summary>The reason if the kernel refuses a program.</summary>
    public static string Describe(BpfException exception) => exception.Errno switch
    {
        Errno.NotPermitted => "the process needs CAP_BPF and CAP_PERFMON, or root, and the kernel must not be in lockdown",
        Errno.NotImplemented => "the kernel has no BPF (CONFIG_BPF_SYSCALL)",
        _ => $"the kernel refused the program: {exception.Message}",
    };
}
