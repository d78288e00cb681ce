using System.Buffers.Binary;
using System.Runtime.InteropServices;
using ConntrackPS.Bpf;

namespace ConntrackPS.Conntrack.Walk;

/// <summary>The addresses of the kernel's variables that a walk reads.</summary>
/// <param name="Table">The address of nf_conntrack_hash, a pointer to the first bucket.</param>
/// <param name="Generation">The address of nf_conntrack_generation, which changes with each resize. 0 if it was not found; then a resize is
/// noticed by the other signs.</param>
internal sealed record TableAddresses(ulong Table, ulong Generation);

/// <summary>Finds the addresses of variables of connection tracking.</summary>
/// <remarks>
/// <para>A kernel with CONFIG_KALLSYMS_ALL lists variables. Any other lists its functions, and the code of a function that uses a variable
/// holds the variable's address. Each number in the code that may be an address is a candidate.</para>
/// <para>No candidate is believed before the table behind it proves itself: the chain of each bucket ends in a marker that holds the
/// number of the bucket (INIT_HLIST_NULLS_HEAD). That also guards the first way.</para>
/// </remarks>
internal sealed class AddressFinder(KernelMemory memory, long buckets)
{
    /// <summary>The buckets whose chains must end as they should. Each has another number, so chance can't pass for a table.</summary>
    private const int ProvenBuckets = 64;

    /// <summary>A longer chain is not one. The kernel refuses entries beyond 130 (MAX_CHAINLEN).</summary>
    private const int LongestChain = 4096;

    /// <summary>Other variables of the kernel are at most this far from its code, in bytes.</summary>
    private const ulong Distance = 1UL << 30;

    /// <summary>Functions that use the table's address, in the order of how often.</summary>
    private static readonly string[] Users = ["nf_conntrack_hash_resize", "nf_conntrack_hash_check_insert", "nf_conntrack_find_get", "nf_ct_iterate_cleanup_net"];

    /// <returns>Null if no candidate passes.</returns>
    /// <exception cref="BpfException">The kernel refused to run a program.</exception>
    public TableAddresses? Find()
    {
        if (memory.FindSymbol("nf_conntrack_hash") is { } listed && IsTable(listed))
            return new TableAddresses(listed, memory.FindSymbol("nf_conntrack_generation") ?? 0);
        foreach (string user in Users)
        {
            foreach (ulong candidate in CandidatesIn(user))
            {
                if (IsTable(candidate))
                    return new TableAddresses(candidate, FindGeneration());
            }
        }

        return null;
    }

    /// <summary>The numbers in the code of a function that may be addresses of variables.</summary>
    public IEnumerable<ulong> CandidatesIn(string function)
    {
        if (memory.FindSymbol(function) is not { } start)
            yield break;
        byte[] code = new byte[KernelMemory.LongestRead];
        if (!memory.TryRead(start, code))
            yield break;

        ulong[] candidates = new ulong[2 * code.Length];
        int length = 0;
        foreach (ulong candidate in CodeAddresses.In(code, start))
        {
            if (candidate % sizeof(ulong) == 0 && (candidate > start ? candidate - start : start - candidate) < Distance)
                candidates[length++] = candidate;
        }

        // Bytes that are no address are as good as random, so that they rarely name the same place twice. A variable is used several times.
        Array.Sort(candidates, 0, length);
        for (int least = 3; least > 0; least--)
        {
            for (int i = 0, end; i < length; i = end)
            {
                end = i + 1;
                while (end < length && candidates[end] == candidates[i])
                    end++;
                if (least == 3 ? end - i >= 3 : end - i == least)
                    yield return candidates[i];
            }
        }
    }

    /// <summary>True if the address holds a pointer to the table.</summary>
    public bool IsTable(ulong address)
    {
        if (!memory.TryRead(address, out ulong table) || table < 1UL << 63 || table % sizeof(ulong) != 0)
            return false;
        for (int i = 0; i < ProvenBuckets; i++)
        {
            // From the first bucket to the last one.
            long bucket = buckets <= ProvenBuckets ? i % buckets : (buckets - 1) * i / (ProvenBuckets - 1);
            if (!EndsRight(table, (ulong)bucket))
                return false;
        }

        return true;
    }

    /// <summary>An entry may leave a bucket while its chain is followed, and appear in another one. So a wrong end is tried again.</summary>
    private bool EndsRight(ulong table, ulong bucket)
    {
        for (int attempt = 0; attempt < 3; attempt++)
        {
            ulong address = table + bucket * sizeof(ulong);
            for (int i = 0; i < LongestChain; i++)
            {
                if (!memory.TryRead(address, out ulong next) || next == 0)
                    return false;
                if ((next & 1) != 0)
                {
                    if (next >> 1 == bucket)
                        return true;
                    break;
                }

                address = next;
            }
        }

        return false;
    }

    /// <summary>The resize adds 1 to the count before and after it, at the same address. Nothing else in its code does.</summary>
    /// <returns>0 if it was not found: it can't prove itself, and is not needed.</returns>
    private ulong FindGeneration()
    {
        byte[] code = new byte[KernelMemory.LongestRead];
        if (!RuntimeInformation.ProcessArchitecture.Equals(Architecture.X64)
            || memory.FindSymbol("nf_conntrack_hash_resize") is not { } start || !memory.TryRead(start, code))
            return 0;
        return CodeAddresses.IncrementedTwice(code, start) is [var only] ? only : 0;
    }
}

/// <summary>Reads addresses out of machine code, without the meaning of the instructions.</summary>
internal static class CodeAddresses
{
    private const uint AdrpMask = 0x9f000000, Adrp = 0x90000000;
    private const uint AddImmediateMask = 0xffc00000, AddImmediate = 0x91000000, LoadImmediate = 0xf9400000;

    /// <summary>All numbers that may be addresses of variables.</summary>
    /// <param name="code">The code of a function.</param>
    /// <param name="start">The address of its first byte.</param>
    public static IEnumerable<ulong> In(byte[] code, ulong start) => In(code, start, RuntimeInformation.ProcessArchitecture);

    internal static IEnumerable<ulong> In(byte[] code, ulong start, Architecture processor) => processor switch
    {
        Architecture.X64 => InX64(code, start),
        Architecture.Arm64 => InArm64(code, start),
        _ => [],
    };

    /// <summary>The variables of 32 bits to which the code adds 1 at two or more places (addl $1 or incl, x86).</summary>
    internal static List<ulong> IncrementedTwice(byte[] code, ulong start)
    {
        List<ulong> incremented = [];
        for (int i = 0; i + 7 <= code.Length; i++)
        {
            ulong distance = (ulong)BinaryPrimitives.ReadInt32LittleEndian(code.AsSpan(i + 2));
            if (code[i] == 0x83 && code[i + 1] == 0x05 && code[i + 6] == 1)
                incremented.Add(start + (ulong)i + 7 + distance);
            else if (code[i] == 0xff && code[i + 1] == 0x05)
                incremented.Add(start + (ulong)i + 6 + distance);
        }

        incremented.Sort();
        List<ulong> twice = [];
        for (int i = 1; i < incremented.Count; i++)
        {
            if (incremented[i] == incremented[i - 1] && (twice.Count == 0 || twice[^1] != incremented[i]))
                twice.Add(incremented[i]);
        }

        return twice;
    }

    /// <summary>Every four bytes may be an address of which the sign is extended, or a distance from the next instruction, which follows them
    /// at once in a load or store.</summary>
    private static IEnumerable<ulong> InX64(byte[] code, ulong start)
    {
        for (int i = 0; i + sizeof(int) <= code.Length; i++)
        {
            ulong number = (ulong)BinaryPrimitives.ReadInt32LittleEndian(code.AsSpan(i));
            yield return number;
            yield return start + (ulong)i + sizeof(int) + number;
        }
    }

    /// <summary>The page of an address (adrp), and the rest of it in one of the next instructions (add, ldr).</summary>
    private static IEnumerable<ulong> InArm64(byte[] code, ulong start)
    {
        const int Near = 8;
        for (int i = 0; i + sizeof(uint) <= code.Length; i += sizeof(uint))
        {
            uint adrp = InstructionAt(i);
            if ((adrp & AdrpMask) != Adrp)
                continue;
            long pages = (int)((adrp >> 5 & 0x7ffff) << 2 | adrp >> 29 & 3) << 11 >> 11;
            ulong page = ((start + (ulong)i) & ~0xfffUL) + (ulong)(pages << 12);
            for (int j = i + sizeof(uint); j <= i + Near * sizeof(uint) && j + sizeof(uint) <= code.Length; j += sizeof(uint))
            {
                uint next = InstructionAt(j);
                if ((next >> 5 & 0x1f) != (adrp & 0x1f))
                    continue;
                if ((next & AddImmediateMask) == AddImmediate)
                    yield return page + (next >> 10 & 0xfff);
                else if ((next & AddImmediateMask) == LoadImmediate)
                    yield return page + (next >> 10 & 0xfff) * sizeof(ulong);
            }
        }

        uint InstructionAt(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(code.AsSpan(offset));
    }
}
