using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Linux;

namespace ConntrackPS.Events;

/// <summary>Compiles what classic BPF can do of a filter into a socket filter: family, protocol, addresses, ports, mark,
/// status, zones of one direction and TCP state. It lets through all that matches; the rest is checked here, as everything is.</summary>
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

    /// <returns>The program, or null where there is nothing to filter or the filter is too long.</returns>
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

    /// <summary>Writes a test for each value, of which one must hold; a test jumps to <c>next</c> where it does not.</summary>
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

    /// <summary>Translated ends: where the reply shows what they are translated to. Whether they are translated at all is for the
    /// check here, since the status bits don't tell it of every entry. So is what ICMP and GRE have in place of ports.</summary>
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

    /// <summary>The kernel leaves a mark of 0 out.</summary>
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
