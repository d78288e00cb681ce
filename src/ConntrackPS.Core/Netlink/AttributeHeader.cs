namespace ConntrackPS.Netlink;

/// <summary>struct nlattr as one number, for readers that look at length and type at once. Both are of 16 bits and in the
/// order of the machine: in a word of 32 bits the length is the lower half on most, and the upper one on s390x.</summary>
internal static class AttributeHeader
{
    /// <summary>The header's word as a machine reads it.</summary>
    /// <param name="length">nla_len: header and value, without padding.</param>
    /// <param name="type">nla_type, with its flags.</param>
    /// <param name="isLittleEndian">The machine's order; tests ask for the other.</param>
    public static uint Word(ushort length, ushort type, bool isLittleEndian) =>
        isLittleEndian ? (uint)type << 16 | length : (uint)length << 16 | type;

    /// <summary>The header's word on this machine; a constant once compiled.</summary>
    public static uint Word(ushort length, ushort type) => Word(length, type, BitConverter.IsLittleEndian);

    /// <summary>nla_len.</summary>
    public static ushort LengthOf(uint word, bool isLittleEndian) => (ushort)(isLittleEndian ? word : word >> 16);

    /// <summary>nla_type, with its flags.</summary>
    public static ushort TypeOf(uint word, bool isLittleEndian) => (ushort)(isLittleEndian ? word >> 16 : word);
}
