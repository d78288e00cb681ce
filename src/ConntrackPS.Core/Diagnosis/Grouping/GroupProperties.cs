using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Walk;
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
        new("Labels", "the labels, all together", ReadLabels, (value, _) => LabelsOf(value).ToNames(), null) { Parts = EntryParts.Labels, Parse = (text, _) => ParseLabels(text) },
        Text("Helper", "the helper that inspects the connection", entry => entry.Helper, EntryParts.Helper),
        Text("SecurityContext", "the security context", entry => entry.SecurityContext, EntryParts.All),
        .. TupleProperties.All.OfType<NumberProperty<byte>>().Select(Number),
        .. TupleProperties.All.OfType<NumberProperty<ushort>>().Select(Number),
        new("EventType", "the event type, for events in the pipeline", (entry, _) => GroupValue.Of((ulong?)(entry as ConntrackEvent)?.EventType), (value, _) => (ConntrackEventType)value.Low, null) { IsTrivial = Always },
        Text("Namespace", "the network namespace, for objects in the pipeline", entry => entry.Namespace, EntryParts.None, Always),
    ];

    /// <summary>All properties, with the most common first.</summary>
    public static IReadOnlyList<GroupProperty> All => Properties;

    /// <summary>The names, for messages.</summary>
    internal static string Choices => string.Join(", ", Properties.Select(property => property.Name));

    /// <summary>Finds a property by its name, in any case.</summary>
    public static bool TryFind(string name, [NotNullWhen(true)] out GroupProperty? property)
    {
        property = Array.Find(Properties, candidate => candidate.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
        return property is not null;
    }

    /// <summary>The property with an existing name.</summary>
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

    /// <summary>Compares text exactly, while filter properties ignore case.</summary>
    private static GroupProperty Text(
        string name, string description, Func<ConntrackEntry, string?> read, EntryParts parts, Func<GroupValue, GroupContext, bool>? isTrivial = null) =>
        new(name, description, (entry, context) => context.Texts.Of(read(entry)), (value, context) => context.Texts.TextOf(value), null)
        {
            Parts = parts,
            IsTrivial = isTrivial ?? ((_, _) => false),
            Parse = (text, context) => context.Texts.Of(text),
        };

    private static ulong? ParseNumber(string text) =>
        ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) ? number : null;

    private static GroupValue ParseLabels(string text) =>
        LabelNames.System.ParseBits(text, out _) is { } labels ? new GroupValue(labels.High, labels.Low, 1) : GroupValue.Absent;

    /// <summary>All entries of a table have the same value, so a condition on it names no entries.</summary>
    private static bool Always(GroupValue value, GroupContext context) => true;

    /// <summary>A filter tests bits that must be set, while a group has exactly these bits.</summary>
    private static ConntrackFilter? NarrowStatus(ConntrackFilter filter, GroupValue value, GroupContext context) =>
        filter.Status is null && value.Low != 0 ? filter with { Status = (ConntrackStatus)value.Low } : null;

    private static ConntrackFilter? NarrowFamily(ConntrackFilter filter, GroupValue value, GroupContext context) =>
        filter.AddressFamily == IPFamily.Unspecified ? filter with { AddressFamily = (IPFamily)value.Low } : null;

    private static GroupValue ReadLabels(ConntrackEntry entry, GroupContext context) =>
        entry.Details?.Labels is { IsEmpty: false } labels ? new GroupValue(labels.High, labels.Low, 1) : GroupValue.Absent;

    private static LabelBits LabelsOf(GroupValue value) => new(value.Low, value.High);
}

/// <summary>A property to group entries by. <see cref="GroupProperties"/> has all of them.</summary>
public sealed class GroupProperty
{
    /// <summary>Adds a condition for a value to a filter. Null if the filter already has such a condition.</summary>
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

    /// <summary>The name of the property, as in <see cref="ConntrackEntry"/> if it exists there.</summary>
    public string Name { get; }

    /// <summary>A short description.</summary>
    public string Description { get; }

    /// <summary>Reads the value of an entry.</summary>
    internal Func<ConntrackEntry, GroupContext, GroupValue> Read { get; }

    /// <summary>The parts of an entry that <see cref="Read"/> looks at.</summary>
    internal EntryParts Parts { get; init; }

    /// <summary>True if <see cref="Narrow"/> matches exactly the entries with the value.</summary>
    internal bool IsExact { get; init; } = true;

    /// <summary>True for a value that every entry has, such as an address with prefix length 0.</summary>
    internal Func<GroupValue, GroupContext, bool> IsTrivial { get; init; } = (_, _) => false;

    /// <summary>Null if filters have no such property.</summary>
    internal Narrower? Narrow { get; }

    /// <summary>Parses the text form of <see cref="Show"/>. Returns an absent value if the text is invalid. Null for a property that no
    /// entry of the table has.</summary>
    internal Func<string, GroupContext, GroupValue>? Parse { get; init; }

    private Func<GroupValue, GroupContext, object> ShowPresent { get; }

    /// <summary>The property's name.</summary>
    public override string ToString() => Name;

    /// <summary>The value as in the entry's property, or null if it is absent.</summary>
    internal object? Show(GroupValue value, GroupContext context) => value.IsAbsent ? null : ShowPresent(value, context);
}

/// <summary>The value of one property of an entry in 17 bytes: a number, an address, or absent.</summary>
/// <param name="High">The upper half of an IPv6 address or of labels, or 0.</param>
/// <param name="Low">The number, or the lower half.</param>
/// <param name="Kind">0 if the entry does not have the property, the family of an address, otherwise 1.</param>
internal readonly record struct GroupValue(ulong High, ulong Low, byte Kind) : IComparable<GroupValue>
{
    /// <summary>The entry does not have the property.</summary>
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

/// <summary>Maps texts to numbers, so that a key can contain a text as a number.</summary>
/// <remarks>Used for helpers, security contexts and namespaces: there are few texts, and few entries have one. Safe for use from several
/// threads, because group filters are.</remarks>
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

/// <summary>The meaning of values in one measurement: the prefix lengths of addresses, and the texts of numbers.</summary>
internal sealed class GroupContext
{
    private readonly int _prefix;
    private readonly int _prefixIPv6;
    private readonly AddressBits _mask;
    private readonly AddressBits _maskIPv6;

    /// <param name="prefix">The prefix length of IPv4 addresses, 0 to 32.</param>
    /// <param name="prefixIPv6">The prefix length of IPv6 addresses, 0 to 128.</param>
    public GroupContext(int prefix, int prefixIPv6)
    {
        (_prefix, _prefixIPv6) = (prefix, prefixIPv6);
        _mask = Mask(IPFamily.IPv4, prefix);
        _maskIPv6 = Mask(IPFamily.IPv6, prefixIPv6);
    }

    public TextPool Texts { get; } = new();

    /// <summary>The network part of an address.</summary>
    public GroupValue Address(IPFamily family, AddressBits address)
    {
        AddressBits mask = family == IPFamily.IPv6 ? _maskIPv6 : _mask;
        return GroupValue.Of(family, new AddressBits(address.High & mask.High, address.Low & mask.Low));
    }

    /// <summary>The prefix of an address value.</summary>
    public AddressPrefix Prefix(GroupValue address) => AddressPrefix.Of(
        new HostAddress(address.Family, address.Bits), address.Family == IPFamily.IPv6 ? _prefixIPv6 : _prefix);

    private static AddressBits Mask(IPFamily family, int length) =>
        AddressPrefix.Of(new HostAddress(family, new AddressBits(ulong.MaxValue, ulong.MaxValue)), length).Address;
}
