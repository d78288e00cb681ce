using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;

namespace ConntrackPS.Bpf;

/// <summary>The kinds of types (BTF_KIND_*, linux/btf.h).</summary>
internal enum BtfKind : byte
{
    /// <summary>BTF_KIND_INT.</summary>
    Int = 1,

    /// <summary>BTF_KIND_PTR.</summary>
    Ptr = 2,

    /// <summary>BTF_KIND_ARRAY.</summary>
    Array = 3,

    /// <summary>BTF_KIND_STRUCT.</summary>
    Struct = 4,

    /// <summary>BTF_KIND_UNION.</summary>
    Union = 5,

    /// <summary>BTF_KIND_ENUM.</summary>
    Enum = 6,

    /// <summary>BTF_KIND_TYPEDEF.</summary>
    Typedef = 8,

    /// <summary>BTF_KIND_VOLATILE.</summary>
    Volatile = 9,

    /// <summary>BTF_KIND_CONST.</summary>
    Const = 10,

    /// <summary>BTF_KIND_RESTRICT.</summary>
    Restrict = 11,

    /// <summary>BTF_KIND_FUNC.</summary>
    Func = 12,

    /// <summary>BTF_KIND_FUNC_PROTO.</summary>
    FuncProto = 13,

    /// <summary>BTF_KIND_VAR.</summary>
    Var = 14,

    /// <summary>BTF_KIND_DATASEC.</summary>
    Datasec = 15,

    /// <summary>BTF_KIND_DECL_TAG.</summary>
    DeclTag = 17,

    /// <summary>BTF_KIND_TYPE_TAG.</summary>
    TypeTag = 18,

    /// <summary>BTF_KIND_ENUM64.</summary>
    Enum64 = 19,
}

/// <summary>The place of a member in a struct.</summary>
/// <param name="Offset">In bytes, from the beginning of the struct.</param>
/// <param name="Size">In bytes. That of one element for an array.</param>
internal sealed record BtfMember(int Offset, int Size);

/// <summary>The kernel's description of its own types (BTF): the file of the kernel itself, or that of a module, whose numbers continue those
/// of the kernel.</summary>
/// <remarks>Documentation/bpf/btf.rst of the kernel. A kernel has more than 100,000 types. Only the wanted ones are found by name, in one
/// pass.</remarks>
internal sealed class BtfFile
{
    /// <summary>BTF_MAGIC.</summary>
    public const uint Magic = 0xeb9f;

    /// <summary>sizeof(struct btf_header).</summary>
    public const int HeaderLength = 24;

    /// <summary>The most types that lead from one to the next: real ones have a few, and a damaged file might have a circle.</summary>
    private const int LongestChain = 32;

    /// <summary>The most members that a struct and the structs without a name in it have together.</summary>
    private const int MostMembers = 4096;

    private readonly byte[] _bytes;
    private readonly int _strings;
    private readonly int _firstName;
    private readonly BtfFile? _base;
    private readonly uint _firstType;
    private readonly int[] _places;
    private readonly string[] _wanted;
    private readonly uint[] _found;

    /// <param name="bytes">The file.</param>
    /// <param name="wanted">The structs, enumerations and functions to find.</param>
    /// <param name="kernel">The kernel's own file, for that of a module.</param>
    /// <exception cref="FormatException">The file is malformed.</exception>
    public BtfFile(byte[] bytes, string[] wanted, BtfFile? kernel = null)
    {
        (_bytes, _base, _wanted, _found) = (bytes, kernel, wanted, new uint[wanted.Length]);
        try
        {
            int header = checked((int)Word(4));
            if ((Word(0) & ushort.MaxValue) != Magic || header < HeaderLength)
                throw new FormatException("It is not a BTF file.");
            (int types, int length) = (checked(header + (int)Word(8)), checked((int)Word(12)));
            (_strings, int stringLength) = (checked(header + (int)Word(16)), checked((int)Word(20)));
            if (checked(types + length) > bytes.Length || checked(_strings + stringLength) > bytes.Length)
                throw new FormatException("The BTF file is truncated.");
            _firstType = kernel is null ? 1 : kernel.Count;
            _firstName = kernel is null ? 0 : kernel._firstName + kernel.StringLength;
            StringLength = stringLength;
            _places = Index(types, types + length);
        }
        catch (Exception exception) when (exception is ArgumentOutOfRangeException or IndexOutOfRangeException or OverflowException)
        {
            throw new FormatException("The BTF file is malformed.", exception);
        }
    }

    /// <summary>The number of types with those of the kernel, with void.</summary>
    private uint Count => _firstType + (uint)_places.Length;

    private int StringLength { get; }

    /// <summary>True if this file has a wanted type of this name.</summary>
    public bool Has(string name) => NumberOf(name) is not null;

    /// <summary>The number of a wanted type. Null if the file does not have it.</summary>
    public uint? NumberOf(string name) => Array.IndexOf(_wanted, name) is >= 0 and var index && _found[index] is not 0 and var number ? number : null;

    /// <summary>The size of a wanted struct, in bytes.</summary>
    /// <exception cref="FormatException">There is no such struct.</exception>
    public int SizeOf(string name) => SizeOfType(Required(name));

    /// <summary>Finds a member of a wanted struct.</summary>
    /// <param name="name">The struct.</param>
    /// <param name="path">The member, and members of it: <c>tuplehash.tuple.src.u3</c>. Of an array it is the first element. Members of
    /// structs without a name count as the outer one's.</param>
    /// <returns>Null if there is none.</returns>
    /// <exception cref="FormatException">The file is malformed.</exception>
    public BtfMember? Find(string name, string path)
    {
        uint type = Required(name);
        int bits = 0;
        foreach (string part in path.Split('.'))
        {
            type = ElementOf(type);
            int rest = MostMembers;
            if (FindMember(type, part, ref rest) is not { } member)
                return null;
            bits += member.Bits;
            type = member.Type;
        }

        return new BtfMember(bits / 8, SizeOfType(ElementOf(type)));
    }

    /// <summary>The number of a name in a wanted enumeration. Null if it has no such name.</summary>
    public int? ValueOf(string enumeration, string name)
    {
        uint type = Required(enumeration);
        for (int i = 0; i < LengthOf(type); i++)
        {
            if (IsNamed(WordOf(type, 12 + 8 * i), name))
                return (int)WordOf(type, 16 + 8 * i);
        }

        return null;
    }

    private Member? FindMember(uint type, string name, ref int rest)
    {
        if (KindOf(type) is not (BtfKind.Struct or BtfKind.Union))
            return null;

        // The upper byte is the width of a bit field if the struct has one.
        uint mask = (WordOf(type, 4) & 1u << 31) != 0 ? 0xffffffu : uint.MaxValue;
        for (int i = 0; i < LengthOf(type); i++)
        {
            if (--rest < 0)
                throw new FormatException("The structs of the BTF file contain each other.");
            (uint text, uint inner, int bits) = (WordOf(type, 12 + 12 * i), WordOf(type, 16 + 12 * i), (int)(WordOf(type, 20 + 12 * i) & mask));
            if (text != 0 && IsNamed(text, name))
                return new Member(bits, inner);
            if (text == 0 && FindMember(Plain(inner), name, ref rest) is { } nested)
                return nested with { Bits = bits + nested.Bits };
        }

        return null;
    }

    private uint Required(string name) => NumberOf(name) ?? throw new FormatException($"The kernel's BTF has no {name}.");

    private int SizeOfType(uint type) => KindOf(Plain(type)) == BtfKind.Ptr ? sizeof(ulong) : checked((int)WordOf(Plain(type), 8));

    /// <summary>The type of the elements of an array, or the type itself.</summary>
    private uint ElementOf(uint type)
    {
        type = Plain(type);
        for (int i = 0; KindOf(type) == BtfKind.Array; i++)
            type = i < LongestChain ? Plain(WordOf(type, 12)) : throw new FormatException("The types of the BTF file form a circle.");
        return type;
    }

    /// <summary>The type behind other names and qualifiers.</summary>
    private uint Plain(uint type)
    {
        for (int i = 0; i < LongestChain; i++)
        {
            if (KindOf(type) is not (BtfKind.Typedef or BtfKind.Volatile or BtfKind.Const or BtfKind.Restrict or BtfKind.TypeTag))
                return type;
            type = WordOf(type, 8);
        }

        throw new FormatException("The types of the BTF file form a circle.");
    }

    private BtfKind KindOf(uint type) => (BtfKind)(WordOf(type, 4) >> 24 & 0x1f);

    private int LengthOf(uint type) => (int)(WordOf(type, 4) & ushort.MaxValue);

    private uint WordOf(uint type, int offset)
    {
        if (type < _firstType && _base is not null)
            return _base.WordOf(type, offset);
        if (type < _firstType || type - _firstType >= _places.Length)
            throw new FormatException("The BTF file refers to a type that it doesn't have.");
        int place = _places[type - _firstType] + offset;
        return place <= _bytes.Length - sizeof(uint) ? Word(place) : throw new FormatException("The BTF file is malformed.");
    }

    private uint Word(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(offset));

    private bool IsNamed(uint text, string name)
    {
        if (text < _firstName)
            return _base?.IsNamed(text, name) == true;
        int start = _strings + (int)(text - _firstName);
        if (start < 0 || start + name.Length >= _bytes.Length || _bytes[start + name.Length] != 0)
            return false;
        for (int i = 0; i < name.Length; i++)
        {
            if (_bytes[start + i] != name[i])
                return false;
        }

        return true;
    }

    /// <summary>Finds the place of each type, and the numbers of the wanted ones.</summary>
    /// <remarks>Compiled with all optimizations at once, since it is called only once: otherwise it takes several times as long.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private unsafe int[] Index(int start, int end)
    {
        // Each type has at least 12 bytes, and most have more.
        int[] places = new int[(end - start) / 12];
        ulong[] beginnings = new ulong[_wanted.Length], masks = new ulong[_wanted.Length];
        for (int i = 0; i < beginnings.Length; i++)
        {
            // A name of fewer than eight bytes is followed by the beginning of the next one.
            beginnings[i] = BeginningOf(Encoding.ASCII.GetBytes(_wanted[i]));
            masks[i] = _wanted[i].Length >= 7 ? ulong.MaxValue : (1UL << 8 * (_wanted[i].Length + 1)) - 1;
        }

        int count = 0;
        fixed (byte* bytes = _bytes)
        {
            for (int place = start; place < end; count++)
            {
                if (place > _bytes.Length - 12 || count >= places.Length)
                    throw new FormatException("The BTF file is truncated.");
                uint text = *(uint*)(bytes + place), info = *(uint*)(bytes + place + 4);
                uint kind = info >> 24 & 0x1f;
                places[count] = place;
                if (kind is (uint)BtfKind.Struct or (uint)BtfKind.Enum or (uint)BtfKind.Func && text >= (uint)_firstName)
                {
                    long name = _strings + (long)(text - (uint)_firstName);
                    ulong beginning = name <= _bytes.Length - sizeof(ulong) ? *(ulong*)(bytes + name)
                        : name < _bytes.Length ? BeginningOf(_bytes.AsSpan((int)name)) : 0;
                    for (int i = 0; i < beginnings.Length; i++)
                    {
                        if ((beginning & masks[i]) == (beginnings[i] & masks[i]) && _found[i] == 0 && IsNamed(text, _wanted[i]))
                            _found[i] = _firstType + (uint)count;
                    }
                }

                place += 12 + LengthOf(kind, (int)(info & ushort.MaxValue));
            }
        }

        Array.Resize(ref places, count);
        return places;
    }

    /// <summary>The length of what follows the first 12 bytes of a type, in bytes.</summary>
    private static int LengthOf(uint kind, int members) => (BtfKind)kind switch
    {
        BtfKind.Int or BtfKind.Var or BtfKind.DeclTag => 4,
        BtfKind.Array => 12,
        BtfKind.Struct or BtfKind.Union or BtfKind.Datasec or BtfKind.Enum64 => 12 * members,
        BtfKind.Enum or BtfKind.FuncProto => 8 * members,
        _ => 0,
    };

    /// <summary>The first eight bytes of a name, or fewer and zeros.</summary>
    private static ulong BeginningOf(ReadOnlySpan<byte> name)
    {
        if (name.Length >= sizeof(ulong))
            return BinaryPrimitives.ReadUInt64LittleEndian(name);
        Span<byte> padded = stackalloc byte[sizeof(ulong)];
        padded.Clear();
        name.CopyTo(padded);
        return BinaryPrimitives.ReadUInt64LittleEndian(padded);
    }

    /// <summary>A member of a struct, with its place in bits.</summary>
    private sealed record Member(int Bits, uint Type);
}
