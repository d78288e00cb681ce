namespace ConntrackPS.Tests.Conntrack.Wire;

/// <summary>The attributes of a message as a tree that can be changed and written again. It uses no code of the library.</summary>
internal sealed class AttributeTree
{
    private const int HeaderSize = 20;
    private const ushort Nested = 0x8000;

    private readonly ushort _type;
    private readonly byte[] _value;

    private AttributeTree(ushort type, byte[] value)
    {
        (_type, _value) = (type, value);
        if ((type & Nested) != 0)
            Children.AddRange(ParseAll(value));
    }

    public List<AttributeTree> Children { get; } = [];

    public bool IsNest => (_type & Nested) != 0;

    /// <summary>The attributes of a netfilter message.</summary>
    public static List<AttributeTree> Parse(byte[] message) => ParseAll(message.AsSpan(HeaderSize));

    /// <summary>An attribute that no kernel has yet.</summary>
    public static AttributeTree Unknown(bool isNest) => new(
        (ushort)(0x3f00 | (isNest ? Nested : 0)), isNest ? new AttributeTree(0x3f01, [1, 2, 3, 4, 5]).Write() : [9, 9, 9, 9, 9]);

    /// <summary>A message with these attributes and the header of another one, with its length corrected.</summary>
    public static byte[] WriteMessage(byte[] header, IEnumerable<AttributeTree> attributes)
    {
        byte[] message = [.. header.AsSpan(0, HeaderSize), .. WriteAll(attributes)];
        BitConverter.TryWriteBytes(message, message.Length);
        return message;
    }

    /// <summary>The offsets of the attribute headers in the message, including nested ones.</summary>
    public static List<int> Offsets(byte[] message)
    {
        List<int> offsets = [];
        Collect(HeaderSize, message.Length);
        return offsets;

        void Collect(int start, int end)
        {
            while (start < end)
            {
                offsets.Add(start);
                (int length, ushort type) = Header(message.AsSpan(start));
                if ((type & Nested) != 0)
                    Collect(start + 4, start + length);
                start += (length + 3) & ~3;
            }
        }
    }

    private static List<AttributeTree> ParseAll(ReadOnlySpan<byte> bytes)
    {
        List<AttributeTree> attributes = [];
        while (bytes.Length > 0)
        {
            (int length, ushort type) = Header(bytes);
            attributes.Add(new AttributeTree(type, bytes[4..length].ToArray()));
            bytes = bytes[Math.Min((length + 3) & ~3, bytes.Length)..];
        }

        return attributes;
    }

    private static (int Length, ushort Type) Header(ReadOnlySpan<byte> bytes) =>
        (BitConverter.ToUInt16(bytes), BitConverter.ToUInt16(bytes[2..]));

    private static byte[] WriteAll(IEnumerable<AttributeTree> attributes) => [.. attributes.SelectMany(attribute => attribute.Write())];

    private byte[] Write()
    {
        byte[] value = IsNest ? WriteAll(Children) : _value;
        byte[] bytes = new byte[(4 + value.Length + 3) & ~3];
        BitConverter.TryWriteBytes(bytes, (ushort)(4 + value.Length));
        BitConverter.TryWriteBytes(bytes.AsSpan(2), _type);
        value.CopyTo(bytes, 4);
        return bytes;
    }
}
