using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;

namespace ConntrackPS.Events;

/// <summary>Compiles the part of a filter that classic BPF supports into a socket filter: family, protocol, addresses, ports, mark, status,
/// zones of one direction and TCP state. The program passes every matching event. All conditions are checked here again.</summary>
internal sealed class EventFilterCompiler
{
    private const uint FamilyOffset = 16;
    private const uint FirstAttribute = 20;
    private const uint Value = 4;

    private readonly BpfProgram _program = new();
    private readonly BpfProgram.Label _reject = new();

    private EventFilterCompiler()
    {
    }

    /// <returns>The program, or null if there is nothing to filter or the program would be too long.</returns>
    public static SocketFilter[]? Compile(ConntrackFilter filter) => new EventFilterCompiler().Build(filter);

    private SocketFilter[]? Build(ConntrackFilter filter)
    {
        if (filter.AddressFamily != IPFamily.Unspecified)
        {
            _program.LoadByteAt(FamilyOffset);
            _program.JumpUnlessEqual((byte)filter.AddressFamily, _reject);
        }

        AnyOf(filter.Protocol, (protocol, next) => Protocol(protocol, next));
        foreach (TupleProperty property in TupleProperties.All)
            Tuple(property, filter);
        AnyOf(filter.OriginalZone, (zone, next) => DirectionalZone(EntryAttribute.TupleOrig, zone, next));
        AnyOf(filter.ReplyZone, (zone, next) => DirectionalZone(EntryAttribute.TupleReply, zone, next));
        AnyOf(filter.Mark, Mark);
        Status(filter);
        if (filter.Protocol is [IPProtocol.Tcp])
            AnyOf(filter.State, TcpState);

        _program.Accept();
        _program.Mark(_reject);
        _program.Reject();
        SocketFilter[]? program = _program.Build();
        return program is { Length: > 2 } ? program : null;
    }

    /// <summary>Writes a test for each value. One of them must succeed. A test that fails jumps to <c>next</c>.</summary>
    private void AnyOf<T>(IReadOnlyList<T> values, Action<T, BpfProgram.Label> test)
    {
        if (values.Count == 0)
            return;
        BpfProgram.Label holds = new();
        foreach (T value in values)
        {
            BpfProgram.Label next = new();
            test(value, next);
            _program.Jump(holds);
            _program.Mark(next);
        }

        _program.Jump(_reject);
        _program.Mark(holds);
    }

    private void Protocol(IPProtocol protocol, BpfProgram.Label next)
    {
        Seek(next, EntryAttribute.TupleOrig, (ushort)TupleAttribute.Proto, (ushort)ProtocolAttribute.Num);
        _program.LoadByte(Value);
        _program.JumpUnlessEqual((byte)protocol, next);
    }

    /// <summary>Translated ends: tests the reply, which shows the translated address. Whether the end is translated at all is checked here,
    /// because the status bits do not show it for every entry. ICMP and GRE values in place of ports are also checked here.</summary>
    private void Tuple(TupleProperty property, ConntrackFilter filter)
    {
        if (property is AddressProperty addresses)
            AnyOf(Cross(addresses.Of(filter), property.Places), (pair, next) => Address(pair.Place, pair.Value, next));
        else if (property is PortProperty ports)
            AnyOf(Cross(ports.Of(filter), property.Places), (pair, next) => Port(pair.Place, pair.Value, next));
    }

    private void Address(TuplePlace place, AddressPrefix prefix, BpfProgram.Label next)
    {
        AddressAttribute attribute = (prefix.Family, place.IsSource) switch
        {
            (IPFamily.IPv6, true) => AddressAttribute.V6Src,
            (IPFamily.IPv6, false) => AddressAttribute.V6Dst,
            (_, true) => AddressAttribute.V4Src,
            _ => AddressAttribute.V4Dst,
        };
        Seek(next, place.Attribute, (ushort)TupleAttribute.Ip, (ushort)attribute);
        Span<byte> bytes = stackalloc byte[16];
        int words = prefix.Address.CopyTo(prefix.Family, bytes) / sizeof(uint);
        for (int i = 0; i < words && prefix.Length > i * 32; i++)
        {
            int bits = Math.Min(32, prefix.Length - i * 32);
            _program.LoadWord(Value + (uint)i * sizeof(uint));
            _program.Mask(uint.MaxValue << (32 - bits));
            _program.JumpUnlessEqual(System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(bytes[(i * 4)..]), next);
        }
    }

    private void Port(TuplePlace place, PortRange range, BpfProgram.Label next)
    {
        ProtocolAttribute attribute = place.IsSource ? ProtocolAttribute.SrcPort : ProtocolAttribute.DstPort;
        Seek(next, place.Attribute, (ushort)TupleAttribute.Proto, (ushort)attribute);
        _program.LoadHalf(Value);
        _program.JumpUnlessInRange(range.First, range.Last, next);
    }

    private void DirectionalZone(EntryAttribute tuple, ushort zone, BpfProgram.Label next)
    {
        Seek(next, tuple, (ushort)TupleAttribute.Zone);
        _program.LoadHalf(Value);
        _program.JumpUnlessEqual(zone, next);
    }

    /// <summary>The kernel omits a mark of 0.</summary>
    private void Mark(MaskedMark mark, BpfProgram.Label next)
    {
        BpfProgram.Label missing = new(), compare = new();
        Seek(missing, EntryAttribute.Mark);
        _program.LoadWord(Value);
        _program.Jump(compare);
        _program.Mark(missing);
        _program.LoadConstant(0);
        _program.Mark(compare);
        _program.Mask(mark.Mask);
        _program.JumpUnlessEqual(mark.Value, next);
    }

    private void Status(ConntrackFilter filter)
    {
        uint set = (uint)(filter.Status ?? ConntrackStatus.None);
        uint clear = (uint)(filter.ExcludeStatus ?? ConntrackStatus.None) | (filter.Unreplied ? (uint)ConntrackStatus.SeenReply : 0);
        if ((set | clear) == 0)
            return;
        Seek(_reject, EntryAttribute.Status);
        _program.LoadWord(Value);
        _program.Mask(set | clear);
        _program.JumpUnlessEqual(set & ~clear, _reject);
    }

    private void TcpState(ConntrackState state, BpfProgram.Label next)
    {
        if (ConntrackStates.ToKernel(IPProtocol.Tcp, state) is not { } number)
            return;
        Seek(next, EntryAttribute.Protoinfo, (ushort)ProtoinfoAttribute.Tcp, (ushort)TcpAttribute.State);
        _program.LoadByte(Value);
        _program.JumpUnlessEqual(number, next);
    }

    private void Seek(BpfProgram.Label missing, EntryAttribute attribute, params ushort[] nested) =>
        _program.SeekAttribute(FirstAttribute, [(ushort)attribute, .. nested], missing);

    private static (TuplePlace Place, T Value)[] Cross<T>(IReadOnlyList<T> values, TuplePlaces places) =>
        [.. values.SelectMany(value => TuplePlace.Each(places).Select(place => (place, value)))];
}

/// <summary>Assembles a program of classic BPF (linux/filter.h, linux/bpf_common.h) that reads netlink attributes.</summary>
/// <remarks>Jumps go to labels. A conditional jump reaches at most 255 instructions, so a conditional jump to a distant label skips an
/// unconditional one.</remarks>
internal sealed class BpfProgram
{
    /// <summary>BPF_MAXINSNS.</summary>
    public const int MaximumLength = 4096;

    private const ushort LoadWordAbsolute = 0x20;
    private const ushort LoadByteAbsolute = 0x30;
    private const ushort LoadWordIndirect = 0x40;
    private const ushort LoadHalfIndirect = 0x48;
    private const ushort LoadByteIndirect = 0x50;
    private const ushort LoadImmediate = 0x00;
    private const ushort LoadIndexImmediate = 0x01;
    private const ushort TransferToIndex = 0x07;
    private const ushort And = 0x54;
    private const ushort JumpAlways = 0x05;
    private const ushort JumpEqual = 0x15;
    private const ushort JumpGreater = 0x25;
    private const ushort JumpGreaterOrEqual = 0x35;
    private const ushort Return = 0x06;

    /// <summary>SKF_AD_OFF + SKF_AD_NLATTR: the offset of attribute X after offset A, or 0.</summary>
    private const uint FindAttribute = unchecked((uint)(-0x1000 + 12));

    /// <summary>SKF_AD_OFF + SKF_AD_NLATTR_NEST: the offset of attribute X inside the one at offset A, or 0.</summary>
    private const uint FindNestedAttribute = unchecked((uint)(-0x1000 + 16));

    private readonly List<SocketFilter> _instructions = [];
    private readonly List<(int Instruction, Label Target)> _jumps = [];

    /// <summary>A position in the program, which may not be defined yet.</summary>
    public sealed class Label
    {
        internal int Position { get; set; } = -1;
    }

    public void Mark(Label label) => label.Position = _instructions.Count;

    public void Accept() => Emit(Return, uint.MaxValue);

    public void Reject() => Emit(Return, 0);

    public void Jump(Label target)
    {
        _jumps.Add((_instructions.Count, target));
        Emit(JumpAlways, 0);
    }

    /// <summary>Loads a byte at a fixed offset.</summary>
    public void LoadByteAt(uint offset) => Emit(LoadByteAbsolute, offset);

    /// <summary>Sets the index register to the offset of an attribute's value, found by a path of nested types.</summary>
    /// <param name="firstAttribute">The offset of the message's first attribute.</param>
    /// <param name="path">The types, from the outermost to the innermost.</param>
    /// <param name="missing">The label to jump to if the attribute is missing.</param>
    public void SeekAttribute(uint firstAttribute, ReadOnlySpan<ushort> path, Label missing)
    {
        Emit(LoadImmediate, firstAttribute);
        for (int i = 0; i < path.Length; i++)
        {
            Emit(LoadIndexImmediate, path[i]);
            Emit(LoadWordAbsolute, i == 0 ? FindAttribute : FindNestedAttribute);
            JumpIfEqual(0, missing);
        }

        Emit(TransferToIndex, 0);
    }

    /// <summary>Loads a big-endian word of the attribute that was found.</summary>
    /// <param name="offset">The offset from the attribute's header.</param>
    public void LoadWord(uint offset) => Emit(LoadWordIndirect, offset);

    public void LoadHalf(uint offset) => Emit(LoadHalfIndirect, offset);

    public void LoadByte(uint offset) => Emit(LoadByteIndirect, offset);

    public void LoadConstant(uint value) => Emit(LoadImmediate, value);

    public void Mask(uint mask)
    {
        if (mask != uint.MaxValue)
            Emit(And, mask);
    }

    public void JumpIfEqual(uint value, Label target) => JumpIf(JumpEqual, value, target, whenTrue: true);

    public void JumpUnlessEqual(uint value, Label target) => JumpIf(JumpEqual, value, target, whenTrue: false);

    public void JumpUnlessInRange(uint first, uint last, Label target)
    {
        JumpIf(JumpGreaterOrEqual, first, target, whenTrue: false);
        JumpIf(JumpGreater, last, target, whenTrue: true);
    }

    /// <summary>The finished program, or null if it is too long for the kernel.</summary>
    public SocketFilter[]? Build()
    {
        if (_instructions.Count > MaximumLength)
            return null;
        SocketFilter[] program = [.. _instructions];
        foreach ((int instruction, Label target) in _jumps)
            program[instruction].Operand = (uint)(target.Position - instruction - 1);
        return program;
    }

    private void JumpIf(ushort comparison, uint value, Label target, bool whenTrue)
    {
        // Skips the far jump, or falls through to it.
        _instructions.Add(new SocketFilter
        {
            Code = comparison,
            Operand = value,
            JumpTrue = (byte)(whenTrue ? 0 : 1),
            JumpFalse = (byte)(whenTrue ? 1 : 0),
        });
        Jump(target);
    }

    private void Emit(ushort code, uint operand) => _instructions.Add(new SocketFilter { Code = code, Operand = operand });
}
