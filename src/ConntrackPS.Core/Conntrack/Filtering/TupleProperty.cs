using System.Globalization;
using System.Numerics;
using ConntrackPS.Conntrack.Wire;
using static ConntrackPS.Conntrack.Filtering.FilterTerms;

namespace ConntrackPS.Conntrack.Filtering;

/// <summary>The places of an entry that have an address, and a port or what a protocol has instead.</summary>
[Flags]
internal enum TuplePlaces
{
    None = 0,
    OriginalSource = 1 << 0,
    OriginalDestination = 1 << 1,
    ReplySource = 1 << 2,
    ReplyDestination = 1 << 3,
    Original = OriginalSource | OriginalDestination,
    Reply = ReplySource | ReplyDestination,
    All = Original | Reply,
}

/// <summary>One of those places: the source or the destination of one of the two tuples.</summary>
internal readonly record struct TuplePlace(TupleDirection Direction, bool IsSource)
{
    /// <summary>The tuple in a message of the kernel, an event's as well.</summary>
    public EntryAttribute Attribute => Direction == TupleDirection.Original ? EntryAttribute.TupleOrig : EntryAttribute.TupleReply;

    /// <summary>The bit that the kernel sets where the reply has here what an end is translated to.</summary>
    public ConntrackStatus TranslationBit => IsSource ? ConntrackStatus.DstNat : ConntrackStatus.SrcNat;

    public static IEnumerable<TuplePlace> Each(TuplePlaces places) =>
        from direction in (TupleDirection[])[TupleDirection.Original, TupleDirection.Reply]
        from isSource in (bool[])[true, false]
        where places.HasFlag(Of(direction, isSource))
        select new TuplePlace(direction, isSource);

    private static TuplePlaces Of(TupleDirection direction, bool isSource) => direction == TupleDirection.Original
        ? isSource ? TuplePlaces.OriginalSource : TuplePlaces.OriginalDestination
        : isSource ? TuplePlaces.ReplySource : TuplePlaces.ReplyDestination;
}

/// <summary>What is known about a property of <see cref="ConntrackFilter"/> that asks for an address, a port or what a protocol
/// has instead of ports. <see cref="TupleProperties"/> has all of them, and all code that applies filters runs over that table.</summary>
/// <param name="name">The name of the filter's property, and of the parameter.</param>
/// <param name="phrase">What it is called in a sentence about the filter.</param>
/// <param name="places">Where an entry has it; of several places, any will do.</param>
internal abstract class TupleProperty(string name, string phrase, TuplePlaces places)
{
    public string Name { get; } = name;

    public string Phrase { get; } = phrase;

    /// <summary>The name of the parameter that leaves out what this one would ask for.</summary>
    public string ExcludeName { get; } = "Exclude" + name;

    public TuplePlaces Places { get; } = places;

    /// <summary>What it is of an entry, in a few words; empty where it stands for several places, and entries can't be grouped by it.</summary>
    public string Meaning { get; init; } = "";

    /// <summary>True where only an end counts that is translated. Its places are those of the reply.</summary>
    public bool IsTranslated { get; init; }

    /// <summary>The protocols that have it; empty where all do.</summary>
    public IReadOnlyList<IPProtocol> Protocols { get; init; } = [];

    /// <summary>True where an entry has it in one place alone.</summary>
    public bool HasOnePlace => BitOperations.IsPow2((int)Places);

    /// <summary>True where a packet shows it, whichever way the packet goes.</summary>
    public bool IsOfEitherDirection => Places == TuplePlaces.All && !IsTranslated;

    /// <summary>True where the filter asks for it.</summary>
    public abstract bool IsAsked(ConntrackFilter filter);

    /// <summary>The filter without it.</summary>
    public abstract ConntrackFilter Without(ConntrackFilter filter);

    /// <summary>The filter that asks for a parameter's value or values: as the property has them, or as numbers (long).</summary>
    /// <exception cref="InvalidCastException">The parameter's type is none that the property can take.</exception>
    public abstract ConntrackFilter Ask(ConntrackFilter filter, object values);

    /// <summary>The filter that asks for a value as text, in the same form on every machine.</summary>
    /// <exception cref="FormatException">It is no such value.</exception>
    /// <exception cref="OverflowException">The number is too large.</exception>
    public abstract ConntrackFilter AskText(ConntrackFilter filter, string text);

    /// <summary>The filter that asks for what any of several filters asks for.</summary>
    public abstract ConntrackFilter AskAny(ConntrackFilter filter, IEnumerable<ConntrackFilter> several);

    /// <summary>The filter without the entries that a parameter's value or values would ask for.</summary>
    /// <exception cref="InvalidCastException">The parameter's type is none that the property can take.</exception>
    public ConntrackFilter Leave(ConntrackFilter filter, object values) =>
        filter with { Exclude = [.. filter.Exclude, Ask(new ConntrackFilter(), values)] };

    /// <summary>True where all that a filter asks for is what another one excludes.</summary>
    public abstract bool IsWithin(ConntrackFilter filter, ConntrackFilter excluded);

    /// <summary>The condition that is checked on each entry; null where the filter doesn't ask for it.</summary>
    public abstract FilterTerm? ToTerm(ConntrackFilter filter);

    /// <summary>What the kernel may be sent of it for the property's one place; null for nothing. Where only translated ends
    /// count, that is not enough for a match.</summary>
    /// <param name="filter">The filter.</param>
    /// <param name="family">The only family that can match.</param>
    /// <param name="protocol">The only protocol that can match; null for several.</param>
    public abstract (TupleFields Field, uint Value)? ToKernel(ConntrackFilter filter, IPFamily family, IPProtocol? protocol);

    /// <summary>What is asked, as values of the 16 bits that the tuple has in the place; null for addresses.</summary>
    public virtual IEnumerable<PortRange>? ToNumbers(ConntrackFilter filter) => null;

    /// <summary>The only number that is asked for.</summary>
    /// <exception cref="FormatException">There are none or several, or it is an address.</exception>
    public virtual ushort OneNumber(ConntrackFilter filter) => throw new TemplateException("{0} is no number.", Name);

    /// <summary>The property's name.</summary>
    public override string ToString() => Name;

    protected bool IsIn(TuplePlaces place) => (Places & place) != 0;
}

/// <summary>A property with values of one type.</summary>
/// <param name="name">The name of the filter's property, and of the parameter.</param>
/// <param name="phrase">What it is called in a sentence about the filter.</param>
/// <param name="places">Where an entry has it.</param>
/// <param name="get">Reads the filter's property.</param>
/// <param name="set">Makes a filter with other values.</param>
internal abstract class TupleProperty<T>(
    string name,
    string phrase,
    TuplePlaces places,
    Func<ConntrackFilter, IReadOnlyList<T>> get,
    Func<ConntrackFilter, IReadOnlyList<T>, ConntrackFilter> set) : TupleProperty(name, phrase, places)
{
    public IReadOnlyList<T> Of(ConntrackFilter filter) => get(filter);

    public ConntrackFilter Set(ConntrackFilter filter, IReadOnlyList<T> values) => set(filter, values);

    public override bool IsAsked(ConntrackFilter filter) => get(filter).Count > 0;

    public override ConntrackFilter Without(ConntrackFilter filter) => IsAsked(filter) ? set(filter, []) : filter;

    public override ConntrackFilter Ask(ConntrackFilter filter, object values) => set(filter, values switch
    {
        IReadOnlyList<T> several => several,
        T one => [one],
        _ => Convert(values),
    });

    public override ConntrackFilter AskText(ConntrackFilter filter, string text) => set(filter, [Parse(text)]);

    public override ConntrackFilter AskAny(ConntrackFilter filter, IEnumerable<ConntrackFilter> several) =>
        set(filter, [.. several.SelectMany(get).Distinct()]);

    public override bool IsWithin(ConntrackFilter filter, ConntrackFilter excluded) =>
        IsAsked(filter) && get(filter).All(value => get(excluded).Any(other => Contains(other, value)));

    /// <summary>The only value that is asked for.</summary>
    /// <exception cref="FormatException">There are none or several.</exception>
    public T One(ConntrackFilter filter) =>
        get(filter) is [var only] ? only : throw new TemplateException("{0} must have exactly one value.", Name);

    /// <summary>True if an entry that matches a value also matches another.</summary>
    protected virtual bool Contains(T wider, T value) => EqualityComparer<T>.Default.Equals(wider, value);

    protected abstract T Parse(string text);

    protected virtual IReadOnlyList<T> Convert(object values) =>
        throw new InvalidCastException($"{Name} can't be {values.GetType().Name}.");
}

/// <summary>An address, or either of several.</summary>
internal sealed class AddressProperty(
    string name,
    string phrase,
    TuplePlaces places,
    Func<ConntrackFilter, IReadOnlyList<AddressPrefix>> get,
    Func<ConntrackFilter, IReadOnlyList<AddressPrefix>, ConntrackFilter> set) : TupleProperty<AddressPrefix>(name, phrase, places, get, set)
{
    /// <summary>Reads the address of an entry, where there is one place for it.</summary>
    public Func<ConntrackEntry, AddressBits> Reader => Places switch
    {
        TuplePlaces.OriginalSource => entry => entry.Original.Source,
        TuplePlaces.OriginalDestination => entry => entry.Original.Destination,
        TuplePlaces.ReplySource => entry => entry.Reply.Source,
        TuplePlaces.ReplyDestination => entry => entry.Reply.Destination,
        _ => throw new InvalidOperationException($"{Name} stands for several addresses."),
    };

    /// <summary>True for an entry whose address is known, which a text may hide.</summary>
    public bool IsKnown(ConntrackEntry entry) => !entry.HasGaps || Places switch
    {
        TuplePlaces.OriginalSource => entry.SourceAddress,
        TuplePlaces.OriginalDestination => entry.DestinationAddress,
        TuplePlaces.ReplySource => entry.ReplySourceAddress,
        _ => entry.ReplyDestinationAddress,
    } is not null;

    /// <summary>Whether the address counts for an entry; null where it always does.</summary>
    public Func<ConntrackEntry, bool>? OnlyWhere =>
        !IsTranslated ? null : Places == TuplePlaces.ReplyDestination ? Translation.OfSource : Translation.OfDestination;

    public override FilterTerm? ToTerm(ConntrackFilter filter) => AnyOf(Name, Phrase, Of(filter), Matches, HasWholeFamily(Of(filter)));

    /// <remarks>IPv4 only: the kernel inverts the comparison of IPv6 addresses (6.12 to 7.2).</remarks>
    public override (TupleFields Field, uint Value)? ToKernel(ConntrackFilter filter, IPFamily family, IPProtocol? protocol) =>
        HasOnePlace && family == IPFamily.IPv4 && Of(filter) is [{ Family: IPFamily.IPv4, IsSingleAddress: true } prefix]
            ? (IsIn(TuplePlaces.OriginalSource | TuplePlaces.ReplySource) ? TupleFields.SourceAddress : TupleFields.DestinationAddress, (uint)prefix.Address.Low)
            : null;

    protected override IReadOnlyList<AddressPrefix> Convert(object values) =>
        values is HostAddress address ? [AddressPrefix.Of(address)] : base.Convert(values);

    protected override AddressPrefix Parse(string text) => AddressPrefix.Parse(text);

    protected override bool Contains(AddressPrefix wider, AddressPrefix value) =>
        wider.Length <= value.Length && wider.Contains(value.Family, value.Address);

    private bool Matches(ConntrackEntry entry, AddressPrefix prefix) =>
        (IsIn(TuplePlaces.OriginalSource) && prefix.Contains(entry.Original.Family, entry.Original.Source))
        || (IsIn(TuplePlaces.OriginalDestination) && prefix.Contains(entry.Original.Family, entry.Original.Destination))
        || (IsIn(TuplePlaces.ReplySource) && prefix.Contains(entry.Original.Family, entry.Reply.Source)
            && (!IsTranslated || Translation.OfDestination(entry)))
        || (IsIn(TuplePlaces.ReplyDestination) && prefix.Contains(entry.Original.Family, entry.Reply.Destination)
            && (!IsTranslated || Translation.OfSource(entry)));
}

/// <summary>A port, or either of several.</summary>
internal sealed class PortProperty(
    string name,
    string phrase,
    TuplePlaces places,
    Func<ConntrackFilter, IReadOnlyList<PortRange>> get,
    Func<ConntrackFilter, IReadOnlyList<PortRange>, ConntrackFilter> set) : TupleProperty<PortRange>(name, phrase, places, get, set)
{
    /// <summary>Reads the port of an entry, where there is one place for it; null where it has none that counts.</summary>
    public Func<ConntrackEntry, ushort?> Reader => (Places, IsTranslated) switch
    {
        (TuplePlaces.OriginalSource, _) => entry => entry.SourcePort,
        (TuplePlaces.OriginalDestination, _) => entry => entry.DestinationPort,
        (TuplePlaces.ReplySource, false) => entry => entry.ReplySourcePort,
        (TuplePlaces.ReplyDestination, false) => entry => entry.ReplyDestinationPort,
        (TuplePlaces.ReplySource, true) => entry => Translation.OfDestination(entry) ? entry.ReplySourcePort : null,
        (TuplePlaces.ReplyDestination, true) => entry => Translation.OfSource(entry) ? entry.ReplyDestinationPort : null,
        _ => throw new InvalidOperationException($"{Name} stands for several ports."),
    };

    public override FilterTerm? ToTerm(ConntrackFilter filter) => AnyOf(Name, Phrase, Of(filter), Matches, HasAllPorts(Of(filter)));

    /// <remarks>TCP and UDP only: the kernel ignores the ports of others. Ports that replace others are not sent.</remarks>
    public override (TupleFields Field, uint Value)? ToKernel(ConntrackFilter filter, IPFamily family, IPProtocol? protocol) =>
        HasOnePlace && !IsTranslated && protocol is IPProtocol.Tcp or IPProtocol.Udp && Of(filter) is [var range] && range.First == range.Last
            ? (IsIn(TuplePlaces.OriginalSource | TuplePlaces.ReplySource) ? TupleFields.SourcePort : TupleFields.DestinationPort, range.First)
            : null;

    public override IEnumerable<PortRange> ToNumbers(ConntrackFilter filter) => Of(filter);

    public override ushort OneNumber(ConntrackFilter filter) => One(filter) is var range && range.First == range.Last
        ? range.First
        : throw new TemplateException("{0} must be one port, not a range.", Name);

    protected override IReadOnlyList<PortRange> Convert(object values) =>
        values is long port ? [new PortRange((int)port)] : base.Convert(values);

    protected override PortRange Parse(string text) => PortRange.Parse(text);

    protected override bool Contains(PortRange wider, PortRange value) => wider.First <= value.First && value.Last <= wider.Last;

    private bool Matches(ConntrackEntry entry, PortRange range) =>
        (IsIn(TuplePlaces.OriginalSource) && entry.SourcePort is { } source && range.Contains(source))
        || (IsIn(TuplePlaces.OriginalDestination) && entry.DestinationPort is { } destination && range.Contains(destination))
        || (IsIn(TuplePlaces.ReplySource) && entry.ReplySourcePort is { } replySource && range.Contains(replySource)
            && (!IsTranslated || Translation.OfDestination(entry)))
        || (IsIn(TuplePlaces.ReplyDestination) && entry.ReplyDestinationPort is { } replyDestination && range.Contains(replyDestination)
            && (!IsTranslated || Translation.OfSource(entry)));
}

/// <summary>What ICMP and GRE have in the place of a port, or in one half of it. It is that of the first packet.</summary>
internal sealed class NumberProperty<T>(
    string name,
    string phrase,
    TuplePlaces place,
    Func<ConntrackFilter, IReadOnlyList<T>> get,
    Func<ConntrackFilter, IReadOnlyList<T>, ConntrackFilter> set) : TupleProperty<T>(name, phrase, place, get, set)
    where T : struct, INumber<T>
{
    /// <summary>Reads the number of an entry; null where it has none.</summary>
    public required Func<ConntrackEntry, T?> Reader { get; init; }

    /// <summary>The values of all 16 bits that have the number.</summary>
    public required Func<T, IEnumerable<PortRange>> Numbers { get; init; }

    /// <summary>What the kernel compares, of ICMP and of ICMPv6; None for nothing.</summary>
    public (TupleFields Icmp, TupleFields IcmpV6) Fields { get; init; }

    public override FilterTerm? ToTerm(ConntrackFilter filter) => OneOf(Name, Phrase, Of(filter), Reader);

    /// <remarks>Beside the protocol of the family only.</remarks>
    public override (TupleFields Field, uint Value)? ToKernel(ConntrackFilter filter, IPFamily family, IPProtocol? protocol)
    {
        bool isIPv6 = family == IPFamily.IPv6;
        TupleFields field = isIPv6 ? Fields.IcmpV6 : Fields.Icmp;
        return field != TupleFields.None && protocol == (isIPv6 ? IPProtocol.IcmpV6 : IPProtocol.Icmp) && Of(filter) is [var only]
            ? (field, uint.CreateChecked(only))
            : null;
    }

    public override IEnumerable<PortRange> ToNumbers(ConntrackFilter filter) => Of(filter).SelectMany(Numbers);

    public override ushort OneNumber(ConntrackFilter filter) => ushort.CreateChecked(One(filter));

    protected override T Parse(string text) => T.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);

    protected override IReadOnlyList<T> Convert(object values) => values switch
    {
        long one => [T.CreateChecked(one)],
        long[] several => [.. several.Select(T.CreateChecked)],
        _ => base.Convert(values),
    };
}
