namespace ConntrackPS.Conntrack;

/// <summary>The 128 label bits of an entry (CTA_LABELS, struct nf_conn_labels).</summary>
/// <remarks>The kernel sends its unsigned longs as they lie in memory, so that on little-endian machines bit n is bit
/// n % 8 of byte n / 8.</remarks>
internal readonly record struct LabelBits(ulong Low, ulong High)
{
    public const int Count = 128;

    public static LabelBits FromBytes(ReadOnlySpan<byte> bytes)
    {
        Span<byte> whole = stackalloc byte[16];
        bytes[..Math.Min(bytes.Length, 16)].CopyTo(whole);
        return new LabelBits(BitConverter.ToUInt64(whole), BitConverter.ToUInt64(whole[8..]));
    }

    public void CopyTo(Span<byte> destination)
    {
        BitConverter.TryWriteBytes(destination, Low);
        BitConverter.TryWriteBytes(destination[8..], High);
    }

    public bool IsEmpty => (Low | High) == 0;

    public bool this[int bit] => ((bit < 64 ? Low : High) >> (bit & 63) & 1) != 0;

    public LabelBits With(int bit) => bit < 64 ? this with { Low = Low | 1UL << bit } : this with { High = High | 1UL << (bit - 64) };

    /// <summary>The labels, comma-separated: names of connlabel.conf, else bit numbers.</summary>
    public string ToNames() => string.Join(',', SetBits().Select(LabelNames.System.ToName));

    public IEnumerable<int> SetBits()
    {
        for (int bit = 0; bit < Count; bit++)
        {
            if (this[bit])
                yield return bit;
        }
    }
}
