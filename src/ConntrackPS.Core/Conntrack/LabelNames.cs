using System.Globalization;

namespace ConntrackPS.Conntrack;

/// <summary>The names of label bits from connlabel.conf. Each line has a bit number and a name.</summary>
/// <remarks>libxtables and libnetfilter_conntrack read the same file.</remarks>
public sealed class LabelNames
{
    private static readonly string[] DefaultPaths = ["etc/xtables/connlabel.conf", "etc/connlabel.conf"];

    private readonly Lazy<Index> _index;

    private LabelNames(Lazy<Index> index) => _index = index;

    /// <summary>The names of this machine. The file is read once, when the first label is met: most text has none.</summary>
    public static LabelNames System { get; } = new(new Lazy<Index>(() => Index.Of(NameFile.Read("/", DefaultPaths))));

    /// <summary>All names, in the order of their bits.</summary>
    public IEnumerable<string> Names => _index.Value.Names.OrderBy(pair => pair.Key).Select(pair => pair.Value);

    /// <summary>Parses the lines of a connlabel.conf. Skips lines without a bit number and a name.</summary>
    public static LabelNames Parse(IEnumerable<string> lines) => new(new Lazy<Index>(Index.Of(lines)));

    /// <summary>The name of the bit, or its number if it has no name.</summary>
    public string ToName(int bit) =>
        _index.Value.Names.TryGetValue(bit, out string? name) ? name : bit.ToString(CultureInfo.InvariantCulture);

    /// <summary>Finds a bit by name, or by number from 0 to 127.</summary>
    public bool TryGetBit(string nameOrNumber, out int bit) =>
        _index.Value.Bits.TryGetValue(nameOrNumber, out bit) || TryParseBit(nameOrNumber, out bit);

    /// <summary>Parses labels by name or number, comma-separated.</summary>
    /// <param name="text">The text.</param>
    /// <param name="unknown">The first unknown label, or null if all are known.</param>
    /// <returns>Null if a label is unknown.</returns>
    internal LabelBits? ParseBits(string text, out string? unknown)
    {
        unknown = null;
        LabelBits labels = default;
        foreach (string name in text.Split(',', StringSplitOptions.TrimEntries))
        {
            if (!TryGetBit(name, out int bit))
            {
                unknown = name;
                return null;
            }

            labels = labels.With(bit);
        }

        return labels;
    }

    private static bool TryParseBit(string text, out int bit) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out bit) && bit < LabelBits.Count;

    internal static LabelNames Load(string root) => Parse(NameFile.Read(root, DefaultPaths));

    /// <summary>The names and bits of a file.</summary>
    /// <param name="Names">The first name of each bit.</param>
    /// <param name="Bits">The first bit of each name.</param>
    private sealed record Index(Dictionary<int, string> Names, Dictionary<string, int> Bits)
    {
        public static Index Of(IEnumerable<string> lines)
        {
            Index index = new([], new Dictionary<string, int>(StringComparer.Ordinal));
            foreach (string[] words in NameFile.Words(lines))
            {
                if (words.Length >= 2 && TryParseBit(words[0], out int bit) && index.Bits.TryAdd(words[1], bit))
                    index.Names.TryAdd(bit, words[1]);
            }

            return index;
        }
    }
}

/// <summary>The 128 label bits of an entry (CTA_LABELS, struct nf_conn_labels).</summary>
/// <remarks>The kernel sends its unsigned longs in memory order, so on little-endian machines bit n is bit n % 8 of byte n / 8.</remarks>
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

    /// <exception cref="ArgumentOutOfRangeException">There is no such bit.</exception>
    public bool this[int bit] => ((Check(bit) < 64 ? Low : High) >> (bit & 63) & 1) != 0;

    /// <exception cref="ArgumentOutOfRangeException">There is no such bit.</exception>
    public LabelBits With(int bit) => Check(bit) < 64 ? this with { Low = Low | 1UL << bit } : this with { High = High | 1UL << (bit - 64) };

    /// <summary>The labels, comma-separated: names from connlabel.conf, or bit numbers where it has no name.</summary>
    public string ToNames() => string.Join(',', SetBits().Select(LabelNames.System.ToName));

    public IEnumerable<int> SetBits()
    {
        for (int bit = 0; bit < Count; bit++)
        {
            if (this[bit])
                yield return bit;
        }
    }

    /// <summary>A shift by more than 63 wraps around, so a number out of range would select another bit.</summary>
    private static int Check(int bit) =>
        (uint)bit < Count ? bit : throw new ArgumentOutOfRangeException(nameof(bit), bit, "Labels are bits from 0 to 127.");
}
