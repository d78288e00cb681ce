using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ConntrackPS.Events.Receiving;

/// <summary>Compresses datagrams: writes only the words that differ from the last datagram of the same kind and length. Events of a burst
/// differ in some ports, an id and a time, so 200 bytes become about 40.</summary>
/// <remarks>One <see cref="DatagramUnpacker"/> must read everything that was written, in the same order. A record has the length minus one
/// (2 bytes), the slot (1), a bit for each word that follows, then these words. With slot <see cref="DatagramSlots.None"/> the datagram
/// follows uncompressed. A burst ends before the runtime decides which methods to optimise, so these methods are always
/// optimised.</remarks>
internal sealed class DatagramPacker
{
    private readonly DatagramSlots _slots = new();

    /// <summary>The maximum number of bytes for a datagram of this length.</summary>
    public static int MaximumSize(int length) =>
        DatagramSlots.HeaderSize + DatagramSlots.MaskSize(length) + DatagramSlots.WordCount(length) * DatagramSlots.WordSize;

    /// <summary>Writes a record.</summary>
    /// <param name="datagram">At least one byte.</param>
    /// <param name="target">The buffer, with at least <see cref="MaximumSize"/> bytes.</param>
    /// <param name="asItCame">True to copy it uncompressed, which is faster.</param>
    /// <returns>The number of bytes written.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Pack(ReadOnlySpan<byte> datagram, Span<byte> target, bool asItCame = false)
    {
        int slot = asItCame ? DatagramSlots.None : DatagramSlots.Choose(datagram);
        BinaryPrimitives.WriteUInt16LittleEndian(target, (ushort)(datagram.Length - 1));
        target[2] = (byte)slot;
        target = target[DatagramSlots.HeaderSize..];
        if (slot == DatagramSlots.None)
        {
            datagram.CopyTo(target);
            return DatagramSlots.HeaderSize + datagram.Length;
        }

        Span<uint> last = _slots.Last(slot, datagram.Length);
        Span<byte> mask = target[..DatagramSlots.MaskSize(datagram.Length)];
        mask.Clear();
        int written = mask.Length;
        ReadOnlySpan<uint> words = MemoryMarshal.Cast<byte, uint>(datagram);
        for (int i = 0; i < last.Length; i++)
        {
            uint word = i < words.Length ? words[i] : DatagramSlots.LastWord(datagram);
            if (word == last[i])
                continue;
            last[i] = word;
            mask[i >> 3] |= (byte)(1 << (i & 7));
            MemoryMarshal.Write(target[written..], in word);
            written += DatagramSlots.WordSize;
        }

        return DatagramSlots.HeaderSize + written;
    }
}

/// <summary>Reads the output of a <see cref="DatagramPacker"/>.</summary>
internal sealed class DatagramUnpacker
{
    private readonly DatagramSlots _slots = new();

    /// <summary>Reads a record.</summary>
    /// <param name="packed">Starts with the record; afterwards with the next one.</param>
    /// <returns>The datagram. It is valid until the next call.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public ReadOnlySpan<byte> Unpack(scoped ref ReadOnlySpan<byte> packed)
    {
        int length = BinaryPrimitives.ReadUInt16LittleEndian(packed) + 1;
        int slot = packed[2];
        ReadOnlySpan<byte> rest = packed[DatagramSlots.HeaderSize..];
        if (slot == DatagramSlots.None)
        {
            packed = rest[length..];
            return rest[..length];
        }

        Span<uint> last = _slots.Last(slot, length);
        ReadOnlySpan<byte> mask = rest[..DatagramSlots.MaskSize(length)];
        rest = rest[mask.Length..];
        for (int i = 0; i < mask.Length; i++)
        {
            for (int bits = mask[i]; bits != 0; bits &= bits - 1)
            {
                last[i * 8 + BitOperations.TrailingZeroCount(bits)] = MemoryMarshal.Read<uint>(rest);
                rest = rest[DatagramSlots.WordSize..];
            }
        }

        packed = rest;
        return MemoryMarshal.AsBytes(last)[..length];
    }
}

/// <summary>The last datagram of each kind and length. Packer and unpacker keep the same state.</summary>
internal sealed class DatagramSlots
{
    public const int HeaderSize = 3;
    public const int WordSize = sizeof(uint);

    /// <summary>The slot of datagrams that are not remembered, because they are too large or uncompressed.</summary>
    public const int None = byte.MaxValue;

    private const int Count = 64;
    private const int WordsOfSlot = 256;
    private const int MessageTypeOffset = 4;

    private readonly uint[] _words = new uint[Count * WordsOfSlot];
    private readonly int[] _lengths = new int[Count];

    /// <summary>Any choice is correct. A good one gives similar events the same slot.</summary>
    public static int Choose(ReadOnlySpan<byte> datagram)
    {
        int words = WordCount(datagram.Length);
        if (words > WordsOfSlot)
            return None;

        // Uses both bytes of the type, because byte order decides which of them distinguishes events.
        int kind = datagram.Length > MessageTypeOffset + 1 ? datagram[MessageTypeOffset] ^ datagram[MessageTypeOffset + 1] : 0;
        return (words ^ kind << 5) % Count;
    }

    public static int WordCount(int length) => (length + WordSize - 1) / WordSize;

    public static int MaskSize(int length) => (WordCount(length) + 7) / 8;

    /// <summary>The last, incomplete word of a datagram.</summary>
    public static uint LastWord(ReadOnlySpan<byte> datagram)
    {
        Span<byte> padded = stackalloc byte[WordSize];
        padded.Clear();
        datagram[(datagram.Length / WordSize * WordSize)..].CopyTo(padded);
        return MemoryMarshal.Read<uint>(padded);
    }

    /// <summary>The words in the slot. Zeros if the last datagram had another length.</summary>
    public Span<uint> Last(int slot, int length)
    {
        Span<uint> words = _words.AsSpan(slot * WordsOfSlot, WordCount(length));
        if (_lengths[slot] != length)
        {
            words.Clear();
            _lengths[slot] = length;
        }

        return words;
    }
}
