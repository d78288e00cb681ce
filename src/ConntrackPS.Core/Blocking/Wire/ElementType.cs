namespace ConntrackPS.Blocking.Wire;

/// <summary>What a set holds: its size is for the kernel, its number for nft alone, which shows elements by it
/// (enum datatypes of nftables' datatype.h; TYPE_BITS apart in a concatenation).</summary>
/// <param name="Number">nft's number.</param>
/// <param name="Length">A value's length, in bytes.</param>
/// <param name="SetName">What sets of it are called.</param>
internal readonly record struct ElementType(uint Number, int Length, string SetName = "")
{
    private const int BitsPerType = 6;
    private const int RegisterLength = 4;

    public static readonly ElementType IPv4Address = new(7, 4, "addresses");
    public static readonly ElementType IPv6Address = new(8, 16, "addresses6");
    public static readonly ElementType Protocol = new(12, 1, "protocols");
    public static readonly ElementType Service = new(13, 2, "ports");

    /// <summary>The type of several fields one after the other, each in whole registers.</summary>
    public static ElementType Concat(IEnumerable<ElementType> parts) => parts.Aggregate(
        default(ElementType),
        (whole, part) => new ElementType(whole.Number << BitsPerType | part.Number, whole.Length + Registers(part.Length) * RegisterLength));

    /// <summary>How many registers of 4 bytes a value takes.</summary>
    public static int Registers(int length) => (length + RegisterLength - 1) / RegisterLength;
}
