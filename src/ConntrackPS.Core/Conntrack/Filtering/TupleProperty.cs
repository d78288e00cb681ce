using System.Globalization;
using System.Numerics;
using ConntrackPS.Conntrack.Wire;
using static ConntrackPS.Conntrack.Filtering.FilterTerms;

namespace ConntrackPS.Conntrack.Filtering;

/// <summary>The places of an entry that have an address, and a port or its equivalent.</summary>
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

/// <summary>One place: the source or the destination of one of the two tuples.</summary>
internal readonly record struct TuplePlace(TupleDirection Direction, bool IsSource)
{
    /// <summary>The attribute of the tuple in the kernel's messages, including events.</summary>
    public EntryAttribute Attribute => Direction == TupleDirection.Original ? EntryAttribute.TupleOrig : EntryAttribute.TupleReply;

    /// <summary>The bit that the kernel sets if an end is translated to the address in this place of the reply.</summary>
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

/// <summary>Describes a property of <see cref="ConntrackFilter"/> for an address, a port or the value in place of a port. <see
/// cref="TupleProperties"/> has all of them, and all code that applies filters uses that table.</summary>
/// <param name="name">The name of the filter property and of the parameter.</param>
/// <param name="phrase">The name of the property in a sentence.</param>
/// <param name="places">The places in an entry. With several places, any may match.</param>
internal abstract class TupleProperty(string name, string phrase, TuplePlaces places)
{
    public string Name { get; } = name;

    public string Phrase { get; } = phrase;

    /// <summary>The name of the parameter that excludes these values.</summary>
    public string ExcludeName { get; } = "Exclude" + name;

    public TuplePlaces Places { get; } = places;

    /// <summary>A short description of the value in an entry. Empty if the property has several places, because entries can't be grouped by
    /// it.</summary>
    public string Meaning { get; init; } = "";

    /// <summary>True if the property matches only translated ends. Its places are those of the reply.</summary>
    public bool IsTranslated { get; init; }

    /// <summary>The protocols that have this value. Empty if all have it.</summary>
    public IReadOnlyList<IPProtocol> Protocols { get; init; } = [];

    /// <summary>True if the property has exactly one place.</summary>
    public bool HasOnePlace => BitOperations.IsPow2((int)Places);

    /// <summary>True if packets of both directions show it.</summary>
    public bool IsOfEitherDirection => Places == TuplePlaces.All && !IsTranslated;

    /// <summary>True if the filter sets this property.</summary>
    public abstract bool IsAsked(ConntrackFilter filter);

    /// <summary>The filter without this property.</summary>
    public abstract ConntrackFilter Without(ConntrackFilter filter);

    /// <summary>The filter with this property set to one or more values of a parameter: of the property's type, or numbers
    /// (long).</summary>
    /// <exception cref="InvalidCastException">The property does not accept the parameter's type.</exception>
    public abstract ConntrackFilter Ask(ConntrackFilter filter, object values);

    /// <summary>The filter with this property set to a value in text form. The form is the same on every machine.</summary>
    /// <exception cref="FormatException">The text is not a valid value.</exception>
    /// <exception cref="OverflowException">The number is too large.</exception>
    public abstract ConntrackFilter AskText(ConntrackFilter filter, string text);

    /// <summary>The filter with this property set to the values of all the given filters.</summary>
    public abstract ConntrackFilter AskAny(ConntrackFilter filter, IEnumerable<ConntrackFilter> several);

    /// <summary>The filter that excludes entries with one or more values of a parameter.</summary>
    /// <exception cref="InvalidCastException">The property does not accept the parameter's type.</exception>
    public ConntrackFilter Leave(ConntrackFilter filter, object values) =>
        filter with { Exclude = [.. filter.Exclude, Ask(new ConntrackFilter(), values)] };

    /// <summary>True if another filter excludes all values that a filter selects.</summary>
    public abstract bool IsWithin(ConntrackFilter filter, ConntrackFilter excluded);

    /// <summary>The condition that is checked on each entry. Null if the filter does not set this property.</summary>
    public abstract FilterTerm? ToTerm(ConntrackFilter filter);

    /// <summary>The field to send to the kernel for a property with one place, or null. For translated ends the field is necessary but not
    /// sufficient for a match.</summary>
    /// <param name="filter">The filter.</param>
    /// <param name="family">The only family that can match.</param>
    /// <param name="protocol">The only protocol that can match, or null for several.</param>
    public abstract (TupleFields Field, uint Value)? ToKernel(ConntrackFilter filter, IPFamily family, IPProtocol? protocol);

    /// <summary>The selected values, as ranges of the 16 bits of the tuple in this place. Null for addresses.</summary>
    public virtual IEnumerable<PortRange>? ToNumbers(ConntrackFilter filter) => null;

    /// <summary>The only selected number.</summary>
    /// <exception cref="FormatException">There is no value or more than one, or it is an address.</exception>
    public virtual ushort OneNumber(ConntrackFilter filter) => throw new TemplateException("{0} is not a number.", Name);

    /// <summary>The property's name.</summary>
    public override string ToString() => Name;

    protected bool IsIn(TuplePlaces place) => (Places & place) != 0;
}

/// <summary>A property with values of one type.</summary>
/// <param name="name">The name of the filter property and of the parameter.</param>
/// <param name="phrase">The name of the property in a sentence.</param>
/// <param name="places">The places in an entry.</param>
/// <param name="get">Reads the filter's property.</param>
/// <param name="set">Creates a filter with other values.</param>
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

    /// <summary>The only selected value.</summary>
    /// <exception cref="FormatException">There is no value or more than one.</exception>
    public T One(ConntrackFilter filter) =>
        get(filter) is [var only] ? only : throw new TemplateException("{0} must have exactly one value.", Name);

    /// <summary>True if every entry that matches the value also matches the wider one.</summary>
    protected virtual bool Contains(T wider, T value) => EqualityComparer<T>.Default.Equals(wider, value);

    protected abstract T Parse(string text);

    protected virtual IReadOnlyList<T> Convert(object values) =>
        throw new InvalidCastException($"{Name} can't be {values.GetType().Name}.");
}

/// <summary>An address in one place, or in any of several.</summary>
internal sealed class AddressProperty(
    string name,
    string phrase,
    TuplePlaces places,
    Func<ConntrackFilter, IReadOnlyList<AddressPrefix>> get,
    Func<ConntrackFilter, IReadOnlyList<AddressPrefix>, ConntrackFilter> set) : TupleProperty<AddressPrefix>(name, phrase, places, get, set)
{
    /// <summary>Reads the address of an entry, for a property with one place.</summary>
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

    /// <summary>True if the address counts for an entry. Null if it always does.</summary>
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

/// <summary>A port in one place, or in any of several.</summary>
internal sealed class PortProperty(
    string name,
    string phrase,
    TuplePlaces places,
    Func<ConntrackFilter, IReadOnlyList<PortRange>> get,
    Func<ConntrackFilter, IReadOnlyList<PortRange>, ConntrackFilter> set) : TupleProperty<PortRange>(name, phrase, places, get, set)
{
    /// <summary>Reads the port of an entry, for a property with one place. Null if the entry has none that counts.</summary>
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

    /// <remarks>TCP and UDP only: the kernel ignores the ports of other protocols. Translated ports are not sent.</remarks>
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

/// <summary>An ICMP or GRE value in place of a port, or in one byte of it. It is that of the first packet.</summary>
internal sealed class NumberProperty<T>(
    string name,
    string phrase,
    TuplePlaces place,
    Func<ConntrackFilter, IReadOnlyList<T>> get,
    Func<ConntrackFilter, IReadOnlyList<T>, ConntrackFilter> set) : TupleProperty<T>(name, phrase, place, get, set)
    where T : struct, INumber<T>
{
    /// <summary>Reads the number of an entry, or null if it has none.</summary>
    public required Func<ConntrackEntry, T?> Reader { get; init; }

    /// <summary>The 16-bit values that contain the number.</summary>
    public required Func<T, IEnumerable<PortRange>> Numbers { get; init; }

    /// <summary>The fields that the kernel compares for ICMP and for ICMPv6, or None.</summary>
    public (TupleFields Icmp, TupleFields IcmpV6) Fields { get; init; }

    public override FilterTerm? ToTerm(ConntrackFilter filter) => OneOf(Name, Phrase, Of(filter), Reader);

    /// <remarks>Sent only together with the protocol of the family.</remarks>
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
