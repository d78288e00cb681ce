using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using ConntrackPS.Bpf;

namespace ConntrackPS.Conntrack.Walk;

/// <summary>Calculates the ids that the kernel sends for entries (CTA_ID): a keyed hash of the entry's address and tuple.</summary>
/// <remarks>nf_ct_get_id (net/netfilter/nf_conntrack_core.c), SipHash-2-4 (lib/siphash.c). The key is a variable of that function, made at
/// random when it is first used.</remarks>
/// <param name="low">The first half of the key.</param>
/// <param name="high">The second half.</param>
internal sealed class EntryIds(ulong low, ulong high)
{
    private const string Function = "nf_ct_get_id";

    /// <summary>The id of the entry of a record that has the part Id.</summary>
    public uint Of(ReadOnlySpan<byte> record)
    {
        ReadOnlySpan<byte> tuple = record.Slice(WalkRecord.Original, WalkTuple.Size);
        Span<ulong> words = stackalloc ulong[WalkTuple.Size / sizeof(ulong)];
        for (int i = 0; i < words.Length; i++)
            words[i] = BinaryPrimitives.ReadUInt64LittleEndian(tuple[(i * sizeof(ulong))..]);
        ulong hash = SipHash(words);

        // The kernel sends its number as it is, and readers take it as one in network order.
        return BinaryPrimitives.ReverseEndianness((uint)SipHash(
        [
            BinaryPrimitives.ReadUInt64LittleEndian(record[WalkRecord.Entry..]),
            BinaryPrimitives.ReadUInt64LittleEndian(record[WalkRecord.Master..]),
            BinaryPrimitives.ReadUInt64LittleEndian(record[WalkRecord.Net..]),
            hash,
        ]));
    }

    /// <summary>Finds the key in the kernel.</summary>
    /// <param name="memory">Reads the kernel's memory.</param>
    /// <param name="finder">Finds addresses in code.</param>
    /// <param name="samples">Records, and the ids that netlink sends for their entries. Only a key that makes all of them is
    /// believed.</param>
    /// <returns>Null if none passes.</returns>
    /// <exception cref="BpfException">The kernel refused to run a program.</exception>
    public static EntryIds? Find(KernelMemory memory, AddressFinder finder, IReadOnlyList<(byte[] Record, uint Id)> samples)
    {
        Span<ulong> key = stackalloc ulong[2];
        foreach (ulong candidate in finder.CandidatesIn(Function))
        {
            if (!memory.TryRead(candidate, MemoryMarshal.AsBytes(key)) || key[0] == 0 || key[1] == 0)
                continue;
            EntryIds ids = new(key[0], key[1]);
            if (samples.Count > 0 && samples.All(sample => ids.Of(sample.Record) == sample.Id))
                return ids;
        }

        return null;
    }

    /// <summary>SipHash-2-4 of whole words.</summary>
    internal ulong SipHash(ReadOnlySpan<ulong> words)
    {
        ulong v0 = 0x736f6d6570736575 ^ low, v1 = 0x646f72616e646f6d ^ high, v2 = 0x6c7967656e657261 ^ low, v3 = 0x7465646279746573 ^ high;
        foreach (ulong word in words)
        {
            v3 ^= word;
            Round(ref v0, ref v1, ref v2, ref v3);
            Round(ref v0, ref v1, ref v2, ref v3);
            v0 ^= word;
        }

        ulong length = (ulong)words.Length * sizeof(ulong) << 56;
        v3 ^= length;
        Round(ref v0, ref v1, ref v2, ref v3);
        Round(ref v0, ref v1, ref v2, ref v3);
        v0 ^= length;
        v2 ^= 0xff;
        for (int i = 0; i < 4; i++)
            Round(ref v0, ref v1, ref v2, ref v3);
        return v0 ^ v1 ^ v2 ^ v3;
    }

    private static void Round(ref ulong v0, ref ulong v1, ref ulong v2, ref ulong v3)
    {
        v0 += v1;
        v1 = BitOperations.RotateLeft(v1, 13) ^ v0;
        v0 = BitOperations.RotateLeft(v0, 32);
        v2 += v3;
        v3 = BitOperations.RotateLeft(v3, 16) ^ v2;
        v0 += v3;
        v3 = BitOperations.RotateLeft(v3, 21) ^ v0;
        v2 += v1;
        v1 = BitOperations.RotateLeft(v1, 17) ^ v2;
        v2 = BitOperations.RotateLeft(v2, 32);
    }
}
