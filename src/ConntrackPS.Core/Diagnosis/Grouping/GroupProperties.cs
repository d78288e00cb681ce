using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Events;

namespace ConntrackPS.Diagnosis.Grouping;

/// <summary>All properties that entries can be grouped by.</summary>
public static class GroupProperties
{
    private static readonly GroupProperty[] Properties =
    [
        .. TupleProperties.Addresses.Where(property => property.HasOnePlace).Select(Address),
        .. TupleProperties.All.OfType<PortProperty>().Where(property => property.HasOnePlace).Select(Port),
        Number("Protocol", "the layer 4 protocol", entry => (byte)entry.Protocol, number => (IPProtocol)number, filter => filter.Protocol.Count > 0, (filter, values) => filter with { Protocol = values }, text => ProtocolNames.TryParse(text, out IPProtocol protocol) ? (byte)protocol : null),
        Number("State", "the state of a TCP, SCTP or DCCP connection", entry => (byte?)entry.State, number => (ConntrackState)number, filter => filter.State.Count > 0, (filter, values) => filter with { State = values }, text => ConntrackStates.TryParse(text, out ConntrackState state) ? (byte)state : ParseNumber(text)),
        new("Status", "the status bits, all together", (entry, _) => GroupValue.Of((uint)entry.Status), (value, _) => (ConntrackStatus)value.Low, NarrowStatus) { IsExact = false, Parse = (text, _) => GroupValue.Of(KernelSpelling.ParseBits<ConntrackStatus>(text, out string? _)) },
        new("AddressFamily", "IPv4 or IPv6", (entry, _) => GroupValue.Of((byte)entry.AddressFamily), (value, _) => (IPFamily)value.Low, NarrowFamily) { Parse = (text, _) => Enum.TryParse(text, ignoreCase: true, out IPFamily family) ? GroupValue.Of((byte)family) : GroupValue.Absent },
        Number("Zone", "the zone, of both directions or of either", entry => entry.OriginalZone ?? entry.ReplyZone ?? entry.Zone, number => (ushort)number, filter => filter.Zone.Count > 0, (filter, values) => filter with { Zone = values }),
        Number("Mark", "the connection mark", entry => entry.Mark, number => (uint)number, filter => filter.Mark.Count > 0, (filter, values) => filter with { Mark = [.. values.Select(mark => new MaskedMark(mark))] }),
        new("Labels", "the labels, all together", ReadLabels, (value, _) => LabelsOf(value).ToNames(), null) { Parse = (text, _) => ParseLabels(text) },
        Text("Helper", "the helper that reads along", entry => entry.Helper),
        Text("SecurityContext", "the security context", entry => entry.SecurityContext),
        .. TupleProperties.All.OfType<NumberProperty<byte>>().Select(Number),
        .. TupleProperties.All.OfType<NumberProperty<ushort>>().Select(Number),
        new("EventType", "what happened, of events in the pipeline", (entry, _) => GroupValue.Of((ulong?)(entry as ConntrackEvent)?.EventType), (value, _) => (ConntrackEventType)value.Low, null) { IsTrivial = Always },
        Text("Namespace", "the network namespace, of objects in the pipeline", entry => entry.Namespace, Always),
    ];

    /// <summary>Them all, the most usual first.</summary>
    public static IReadOnlyList<GroupProperty> All => Properties;

    /// <summary>The names, for messages.</summary>
    internal static string Choices => string.Join(", ", Properties.Select(property => property.Name));

    /// <summary>Finds a property by its name, in any case.</summary>
    public static bool TryFind(string name, [NotNullWhen(true)] out GroupProperty? property)
    {
        property = Array.Find(Properties, candidate => candidate.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
        return property is not null;
    }

    /// <summary>The property of a name that is known to be one.</summary>
    internal static GroupProperty Named(string name) =>
        TryFind(name, out GroupProperty? property) ? property : throw new ArgumentException($"Entries have no '{name}' to group by.", nameof(name));

    private static GroupProperty Address(AddressProperty property)
    {
        Func<ConntrackEntry, AddressBits> read = property.Reader;
        return new(
            property.Name,
            property.Meaning,
            property.OnlyWhere is not { } onlyWhere
                ? (entry, context) => property.IsKnown(entry) ? context.Address(entry.Original.Family, read(entry)) : GroupValue.Absent
                : (entry, context) => onlyWhere(entry) && property.IsKnown(entry) ? context.Address(entry.Original.Family, read(entry)) : GroupValue.Absent,
            (value, context) => context.Prefix(value).ToString(),
            (filter, value, context) => property.IsAsked(filter) ? null : property.Set(filter, [context.Prefix(value)]))
        {
            Parse = (text, _) => AddressPrefix.Parse(text) is var prefix ? GroupValue.Of(prefix.Family, prefix.Address) : GroupValue.Absent,
            IsTrivial = (value, context) => !value.IsAbsent && context.Prefix(value).Length == 0,
        };
    }

    private static GroupProperty Port(PortProperty property)
    {
        Func<ConntrackEntry, ushort?> read = property.Reader;
        return new(
            property.Name,
            property.Meaning,
            (entry, _) => GroupValue.Of(read(entry)),
            (value, _) => (ushort)value.Low,
            (filter, value, _) => property.IsAsked(filter) ? null : property.Set(filter, [new PortRange((int)value.Low)]))
        {
            Parse = (text, _) => GroupValue.Of(ParseNumber(text) is { } number and <= ushort.MaxValue ? number : null),
        };
    }

    private static GroupProperty Number<T>(NumberProperty<T> property)
        where T : struct, INumber<T> => Number(
            property.Name,
            property.Meaning,
            entry => property.Reader(entry) is { } number ? ulong.CreateChecked(number) : null,
            T.CreateChecked,
            property.IsAsked,
            (filter, values) => property.Set(filter, values));

    private static GroupProperty Number<T>(
        string name,
        string description,
        Func<ConntrackEntry, ulong?> read,
        Func<ulong, T> convert,
        Func<ConntrackFilter, bool> isAsked,
        Func<ConntrackFilter, T[], ConntrackFilter> ask,
        Func<string, ulong?>? parse = null)
        where T : struct =>
        new(
            name,
            description,
            (entry, _) => GroupValue.Of(read(entry)),
            (value, _) => convert(value.Low),
            (filter, value, _) => isAsked(filter) ? null : ask(filter, [convert(value.Low)]))
        {
            Parse = (text, _) => GroupValue.Of((parse ?? ParseNumber)(text)),
        };

    /// <summary>Texts are compared to the letter, where a filter's property would leave case aside.</summary>
    private static GroupProperty Text(
        string name, string description, Func<ConntrackEntry, string?> read, Func<GroupValue, GroupContext, bool>? isTrivial = null) =>
        new(name, description, (entry, context) => context.Texts.Of(read(entry)), (value, context) => context.Texts.TextOf(value), null)
        {
            IsTrivial = isTrivial ?? ((_, _) => false),
            Parse = (text, context) => context.Texts.Of(text),
        };

    private static ulong? ParseNumber(string text) =>
        ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) ? number : null;

    private static GroupValue ParseLabels(string text) =>
        LabelNames.System.ParseBits(text, out _) is { } labels ? new GroupValue(labels.High, labels.Low, 1) : GroupValue.Absent;

    /// <summary>All entries of a table agree in it, so that to name it is to name nothing.</summary>
    private static bool Always(GroupValue value, GroupContext context) => true;

    /// <summary>A filter asks for bits that must be set, a group has these bits and no others.</summary>
    private static ConntrackFilter? NarrowStatus(ConntrackFilter filter, GroupValue value, GroupContext context) =>
        filter.Status is null && value.Low != 0 ? filter with { Status = (ConntrackStatus)value.Low } : null;

    private static ConntrackFilter? NarrowFamily(ConntrackFilter filter, GroupValue value, GroupContext context) =>
        filter.AddressFamily == IPFamily.Unspecified ? filter with { AddressFamily = (IPFamily)value.Low } : null;

    private static GroupValue ReadLabels(ConntrackEntry entry, GroupContext context) =>
        entry.Details?.Labels is { IsEmpty: false } labels ? new GroupValue(labels.High, labels.Low, 1) : GroupValue.Absent;

    private static LabelBits LabelsOf(GroupValue value) => new(value.Low, value.High);
}

/// <summary>A property of entries that they can be grouped by. <see cref="GroupProperties"/> has all of them.</summary>
public sealed class GroupProperty
{
    /// <summary>Makes a filter ask for a value; null where the filter asks for something of the kind already.</summary>
    internal delegate ConntrackFilter? Narrower(ConntrackFilter filter, GroupValue value, GroupContext context);

    internal GroupProperty(
        string name,
        string description,
        Func<ConntrackEntry, GroupContext, GroupValue> read,
        Func<GroupValue, GroupContext, object> show,
        Narrower? narrow)
    {
        (Name, Description, Read, ShowPresent, Narrow) = (name, description, read, show, narrow);
    }

    /// <summary>The property's name, that of <see cref="ConntrackEntry"/>'s where it has one.</summary>
    public string Name { get; }

    /// <summary>What it is, in a few words.</summary>
    public string Description { get; }

    /// <summary>Reads the value of an entry.</summary>
    internal Func<ConntrackEntry, GroupContext, GroupValue> Read { get; }

    /// <summary>True where <see cref="Narrow"/> asks for exactly the entries of the value.</summary>
    internal bool IsExact { get; init; } = true;

    /// <summary>True for a value that lets every entry through, such as an address of which no bit counts.</summary>
    internal Func<GroupValue, GroupContext, bool> IsTrivial { get; init; } = (_, _) => false;

    /// <summary>Null where no filter's property is of the kind.</summary>
    internal Narrower? Narrow { get; }

    /// <summary>Reads what <see cref="Show"/> shows, as text; absent where it is none. Null for a property that no entry of the table has.
    /// </summary>
    internal Func<string, GroupContext, GroupValue>? Parse { get; init; }

    private Func<GroupValue, GroupContext, object> ShowPresent { get; }

    /// <summary>The property's name.</summary>
    public override string ToString() => Name;

    /// <summary>The value as the property of an entry has it; null for none.</summary>
    internal object? Show(GroupValue value, GroupContext context) => value.IsAbsent ? null : ShowPresent(value, context);
}

/// <summary>The value of one property of an entry in 17 bytes: a number, an address, or that there is none.</summary>
/// <param name="High">The upper half of an IPv6 address or of labels, else 0.</param>
/// <param name="Low">The number, or the lower half.</param>
/// <param name="Kind">0 where the entry has no such thing; the family of an address; else 1.</param>
internal readonly record struct GroupValue(ulong High, ulong Low, byte Kind) : IComparable<GroupValue>
{
    /// <summary>The entry has no such thing.</summary>
    public static GroupValue Absent => default;

    public bool IsAbsent => Kind == 0;

    public AddressBits Bits => new(High, Low);

    public IPFamily Family => (IPFamily)Kind;

    public static GroupValue Of(ulong? number) => number is { } present ? new GroupValue(0, present, 1) : Absent;

    public static GroupValue Of(IPFamily family, AddressBits address) => new(address.High, address.Low, (byte)family);

    /// <summary>Absent first, then IPv4 before IPv6, then by number.</summary>
    public int CompareTo(GroupValue other)
    {
        int order = Kind.CompareTo(other.Kind);
        return order != 0 ? order : Bits.CompareTo(other.Bits);
    }
}

/// <summary>Numbers for texts, so that a text takes part in a key as a number does.</summary>
/// <remarks>Helpers, security contexts and namespaces: few texts, and few entries that have one. Safe for use from several
/// threads, since the filters of groups are.</remarks>
internal sealed class TextPool
{
    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);
    private readonly List<string> _texts = [];

    public GroupValue Of(string? text)
    {
        if (text is null)
            return GroupValue.Absent;
        lock (_texts)
        {
            if (!_numbers.TryGetValue(text, out int number))
            {
                number = _texts.Count;
                _numbers.Add(text, number);
                _texts.Add(text);
            }

            return GroupValue.Of((ulong)number);
        }
    }

    public string TextOf(GroupValue value)
    {
        lock (_texts)
            return _texts[(int)value.Low];
    }
}

/// <summary>What the values of one measurement mean: how much of an address counts, and which text a number stands for.
/// </summary>
internal sealed class GroupContext
{
    private readonly int _prefix;
    private readonly int _prefixIPv6;
    private readonly AddressBits _mask;
    private readonly AddressBits _maskIPv6;

    /// <param name="prefix">Leading bits of IPv4 addresses that count, 0 to 32.</param>
    /// <param name="prefixIPv6">Leading bits of IPv6 addresses that count, 0 to 128.</param>
    public GroupContext(int prefix, int prefixIPv6)
    {
        (_prefix, _prefixIPv6) = (prefix, prefixIPv6);
        _mask = Mask(IPFamily.IPv4, prefix);
        _maskIPv6 = Mask(IPFamily.IPv6, prefixIPv6);
    }

    public TextPool Texts { get; } = new();

    /// <summary>The bits of an address that count.</summary>
    public GroupValue Address(IPFamily family, AddressBits address)
    {
        AddressBits mask = family == IPFamily.IPv6 ? _maskIPv6 : _mask;
        return GroupValue.Of(family, new AddressBits(address.High & mask.High, address.Low & mask.Low));
    }

    /// <summary>The prefix that an address's bits are.</summary>
    public AddressPrefix Prefix(GroupValue address) => AddressPrefix.Of(
        new HostAddress(address.Family, address.Bits), address.Family == IPFamily.IPv6 ? _prefixIPv6 : _prefix);

    private static AddressBits Mask(IPFamily family, int length) =>
        AddressPrefix.Of(new HostAddress(family, new AddressBits(ulong.MaxValue, ulong.MaxValue)), length).Address;
}
