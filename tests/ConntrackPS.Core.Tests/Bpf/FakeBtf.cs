using System.Runtime.InteropServices;
using System.Text;
using ConntrackPS.Bpf;

namespace ConntrackPS.Tests.Bpf;

/// <summary>Writes a BTF file, type by type.</summary>
internal sealed class FakeBtf
{
    private readonly List<uint> _types = [];
    private readonly List<byte> _strings = [0];
    private readonly uint _firstType;
    private readonly uint _firstName;
    private uint _count;

    /// <param name="kernel">The file whose numbers this one continues.</param>
    public FakeBtf(FakeBtf? kernel = null) =>
        (_firstType, _firstName) = kernel is null ? (1u, 0u) : (kernel._firstType + kernel._count, kernel._firstName + (uint)kernel._strings.Count);

    public uint Int(string name, uint size) => Add(name, BtfKind.Int, 0, size, size * 8);

    public uint Pointer(uint type) => Add("", BtfKind.Ptr, 0, type);

    public uint Named(BtfKind kind, uint type, string name = "") => Add(name, kind, 0, type);

    public uint Array(uint type, uint length) => Add("", BtfKind.Array, 0, 0, type, type, length);

    public uint Function(string name) => Add(name, BtfKind.Func, 0, Add("", BtfKind.FuncProto, 0, 0));

    public uint Struct(string name, uint size, params (string Name, uint Type, uint Bits)[] members) =>
        Add(name, BtfKind.Struct, (uint)members.Length, size, [.. members.SelectMany(member => (uint[])[Text(member.Name), member.Type, member.Bits])]);

    public uint Enum(string name, params (string Name, uint Value)[] values) =>
        Add(name, BtfKind.Enum, (uint)values.Length, 4, [.. values.SelectMany(value => (uint[])[Text(value.Name), value.Value])]);

    public byte[] ToBytes()
    {
        uint length = (uint)_types.Count * sizeof(uint);
        uint[] header = [BtfFile.Magic | 1 << 16, BtfFile.HeaderLength, 0, length, length, (uint)_strings.Count];
        return [.. MemoryMarshal.AsBytes<uint>(header), .. MemoryMarshal.AsBytes<uint>(_types.ToArray()), .. _strings];
    }

    private uint Add(string name, BtfKind kind, uint length, uint sizeOrType, params uint[] rest)
    {
        _types.AddRange([Text(name), (uint)kind << 24 | length, sizeOrType, .. rest]);
        return _firstType + _count++;
    }

    private uint Text(string name)
    {
        if (name.Length == 0)
            return 0;
        uint place = _firstName + (uint)_strings.Count;
        _strings.AddRange([.. Encoding.ASCII.GetBytes(name), 0]);
        return place;
    }
}
