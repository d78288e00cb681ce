using System.Collections;
using System.Globalization;
using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Diagnosis.Grouping;

namespace ConntrackPS.Arguments;

/// <summary>Reads addresses and prefixes.</summary>
public sealed class AddressArgumentAttribute : ElementTransformationAttribute<AddressPrefix>
{
    /// <inheritdoc/>
    protected override string AcceptedForm => "an IPv4 or IPv6 address, or a prefix, such as 192.0.2.1, 192.0.2.0/24, 2001:db8::1, 2001:db8::/32";

    /// <inheritdoc/>
    protected override AddressPrefix Parse(string text) =>
        HostNameException.LooksLikeName(text) ? throw new HostNameException(text, AcceptedForm, "") : AddressPrefix.Parse(text);
}

/// <summary>Reads one address.</summary>
public sealed class HostAddressArgumentAttribute : ElementTransformationAttribute<HostAddress>
{
    /// <inheritdoc/>
    protected override string AcceptedForm => "one address, such as 192.0.2.1 or 2001:db8::1";

    /// <inheritdoc/>
    protected override HostAddress Parse(string text) =>
        HostNameException.LooksLikeName(text) ? throw new HostNameException(text, AcceptedForm, "[0]") : HostAddress.Parse(text);
}

/// <summary>A host name was given instead of an address. Names are not looked up here, because that takes time, and the address of a
/// name can change between two commands.</summary>
/// <param name="name">The name.</param>
/// <param name="acceptedForm">The accepted form, as a phrase that completes "Write ...".</param>
/// <param name="index">An index that selects one of several addresses, if only one is accepted.</param>
internal sealed class HostNameException(string name, string acceptedForm, string index)
    : FormatException($"{Problem(name, acceptedForm)} To look the name up, write ([System.Net.Dns]::GetHostAddresses('{name}'){index})")
{
    private const int LongestName = 253;

    /// <summary>The message without a PowerShell expression, for the live view, which runs none.</summary>
    public string PlainMessage { get; } = Problem(name, acceptedForm);

    /// <summary>True for labels of letters, digits and hyphens with dots between them, of which the last has a letter (RFC 1123, 2.1).</summary>
    public static bool LooksLikeName(string text)
    {
        string[] labels = text.TrimEnd('.').Split('.');
        return text.Length <= LongestName
            && labels[^1].Any(char.IsAsciiLetter)
            && !labels[^1].StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            && Array.TrueForAll(labels, label => label.Length > 0 && label[0] != '-' && label.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_'));
    }

    private static string Problem(string name, string acceptedForm) => $"'{name}' is a name, not an address. Write {acceptedForm}.";
}

/// <summary>Reads ports, ranges and names of services.</summary>
public sealed class PortArgumentAttribute : ElementTransformationAttribute<PortRange>
{
    /// <inheritdoc/>
    protected override string AcceptedForm => ServiceNames.AcceptedForm;

    /// <inheritdoc/>
    protected override PortRange Parse(string text) => ServiceNames.System.ParseRange(text);
}

/// <summary>Reads one port, as a number or by the name of its service.</summary>
public sealed class OnePortArgumentAttribute : ElementTransformationAttribute<long>
{
    /// <summary>Reads one port.</summary>
    public OnePortArgumentAttribute() => TakesOne = true;

    /// <inheritdoc/>
    protected override string AcceptedForm => "a number from 0 to 65535, or a service such as https";

    /// <inheritdoc/>
    protected override long Parse(string text) =>
        NumberArgumentAttribute.TryParseNumber(text, out long number) && IsAccepted(number) ? number : ServiceNames.System.ParsePort(text);

    /// <inheritdoc/>
    protected override bool IsAccepted(long value) => value is >= ushort.MinValue and <= ushort.MaxValue;
}

/// <summary>Reads marks, with or without a mask.</summary>
public sealed class MarkArgumentAttribute : ElementTransformationAttribute<MaskedMark>
{
    /// <inheritdoc/>
    protected override string AcceptedForm => "a mark such as 7, 0x100, 0x100/0xff00";

    /// <inheritdoc/>
    protected override MaskedMark Parse(string text) => MaskedMark.Parse(text);
}

/// <summary>Reads protocols by name or number.</summary>
public sealed class ProtocolArgumentAttribute : ElementTransformationAttribute<IPProtocol>
{
    /// <inheritdoc/>
    protected override string AcceptedForm => ProtocolNames.AcceptedForm;

    /// <inheritdoc/>
    protected override IPProtocol Parse(string text) =>
        ProtocolNames.TryParse(text, out IPProtocol protocol)
            ? protocol
            : throw new FormatException($"'{text}' is not a protocol. Write {AcceptedForm}.");
}

/// <summary>Reads one address family.</summary>
/// <remarks>PowerShell's own conversion adds the numbers of "IPv4,IPv6", which gives IPv6 alone.</remarks>
public sealed class FamilyArgumentAttribute : ElementTransformationAttribute<IPFamily>
{
    /// <summary>Reads one family.</summary>
    public FamilyArgumentAttribute() => TakesOne = true;

    /// <inheritdoc/>
    protected override string AcceptedForm => "IPv4 or IPv6; leave the parameter out for both";

    /// <inheritdoc/>
    protected override IPFamily Parse(string text) => text.ToUpperInvariant() switch
    {
        "IPV4" => IPFamily.IPv4,
        "IPV6" => IPFamily.IPv6,
        _ => throw new FormatException($"'{text}' is not an address family. Write {AcceptedForm}."),
    };

    /// <inheritdoc/>
    protected override bool IsAccepted(IPFamily value) => value is IPFamily.IPv4 or IPFamily.IPv6;
}

/// <summary>Reads values of an enumeration, in our spelling or the kernel's, or as the number of a value without a name. The parameter is
/// text, because PowerShell completes an enumeration itself, and only in our spelling.</summary>
public abstract class SpellingArgumentAttribute : ElementTransformationAttribute<string>
{
    /// <summary>The names of all values, each followed by the kernel's name if that differs.</summary>
    public abstract IEnumerable<string> Spellings { get; }
}

/// <summary>Reads states, in our spelling or the kernel's.</summary>
public sealed class StateArgumentAttribute : SpellingArgumentAttribute
{
    /// <inheritdoc/>
    public override IEnumerable<string> Spellings => Enum.GetValues<ConntrackState>()
        .Where(state => state != ConntrackState.Unknown)
        .SelectMany(state => (string[])[state.ToString(), StateNames.Of(IPProtocol.Tcp, state)])
        .Distinct(StringComparer.OrdinalIgnoreCase);

    /// <inheritdoc/>
    protected override string AcceptedForm => "a state: " + KernelSpelling.Choices<ConntrackState>();

    /// <inheritdoc/>
    protected override string Parse(string text) => Read(text).ToString();

    /// <summary>Reads the state of a text.</summary>
    /// <exception cref="FormatException">The text is not a state. The message shows the accepted names.</exception>
    internal static ConntrackState Read(string text) =>
        ConntrackStates.TryParse(text, out ConntrackState state)
            ? state
            : throw new FormatException($"'{text}' is not a state. Write one of {KernelSpelling.Choices<ConntrackState>()}.");
}

/// <summary>Reads status bits, in our spelling or the kernel's.</summary>
public sealed class StatusArgumentAttribute : SpellingArgumentAttribute
{
    private static readonly uint Named = Enum.GetValues<ConntrackStatus>().Aggregate(0u, (all, bit) => all | (uint)bit);

    /// <inheritdoc/>
    public override IEnumerable<string> Spellings => Enum.GetValues<ConntrackStatus>()
        .Where(bit => bit != ConntrackStatus.None)
        .SelectMany(bit => (string[])[bit.ToString(), KernelSpelling.Of(bit)])
        .Distinct(StringComparer.OrdinalIgnoreCase);

    /// <inheritdoc/>
    protected override string AcceptedForm => "status bits: " + KernelSpelling.Choices<ConntrackStatus>();

    /// <inheritdoc/>
    protected override string Parse(string text) => Read(text).ToString();

    /// <summary>Each bit separately, as the bits of several texts are.</summary>
    protected override IEnumerable<string> Expand(string value)
    {
        uint bits = (uint)Read(value);
        for (uint bit = 1; bit != 0; bit <<= 1)
        {
            if ((bits & bit) != 0)
                yield return ((ConntrackStatus)bit).ToString();
        }
    }

    /// <summary>Reads the bits of several texts.</summary>
    /// <exception cref="FormatException">A text is not a status. The message shows the accepted names.</exception>
    internal static ConntrackStatus Read(IEnumerable<string> texts) => texts.Aggregate(ConntrackStatus.None, (all, text) => all | Read(text));

    private static ConntrackStatus Read(string text)
    {
        // ToString returns a number only if a bit has no name. Other numbers are mistakes, such as 2 for -Zone.
        if (NumberArgumentAttribute.TryParseNumber(text, out long number))
        {
            return number <= uint.MaxValue && ((uint)number & ~Named) != 0
                ? (ConntrackStatus)number
                : throw Refusal(text);
        }

        return KernelSpelling.ParseBits<ConntrackStatus>(text, out string? unknown) is { } bits and not 0
            ? (ConntrackStatus)bits
            : throw Refusal(unknown ?? text);
    }

    private static FormatException Refusal(string text) =>
        new($"'{text}' is not a status bit. Write one or several of {KernelSpelling.Choices<ConntrackStatus>()}.");
}

/// <summary>Reads labels by name or bit.</summary>
public sealed class LabelArgumentAttribute : ElementTransformationAttribute<int>
{
    /// <inheritdoc/>
    protected override string AcceptedForm => "a label's name as in connlabel.conf, or its bit from 0 to 127";

    /// <inheritdoc/>
    protected override int Parse(string text) =>
        LabelNames.System.TryGetBit(text, out int bit)
            ? bit
            : throw new FormatException($"'{text}' is not a label. Write {AcceptedForm}.");

    /// <inheritdoc/>
    protected override bool IsAccepted(int value) => value is >= 0 and < LabelBits.Count;
}

/// <summary>Accepts any name that is not empty.</summary>
public sealed class TextArgumentAttribute : ElementTransformationAttribute<string>
{
    /// <inheritdoc/>
    protected override string AcceptedForm => "a name";

    /// <inheritdoc/>
    protected override string Parse(string text) => text;
}

/// <summary>Reads one time span: seconds, or a span such as 5m.</summary>
public sealed class DurationArgumentAttribute : ElementTransformationAttribute<TimeSpan>
{
    /// <summary>The shortest accepted time, in seconds.</summary>
    public double Minimum { get; init; }

    /// <summary>The longest accepted time, in seconds.</summary>
    public long Maximum { get; init; } = int.MaxValue;

    /// <summary>True if fractions of a second are accepted. They are for times that the module measures, not for the kernel's timeouts.</summary>
    public bool TakesFractions { get; init; }

    /// <inheritdoc/>
    protected override string AcceptedForm => $"{Duration.AcceptedForm}, from {Duration.Describe(Minimum)} to {Duration.Describe(Maximum)}";

    /// <inheritdoc/>
    protected override TimeSpan Parse(string text) => Duration.Parse(text, Minimum, Maximum, TakesFractions);

    /// <inheritdoc/>
    protected override object? Restore(object? element) => SpanOf(element) ?? element;

    /// <summary>The TimeSpan that JSON made an object of, which has its ticks; null for anything else.</summary>
    internal static TimeSpan? SpanOf(object? element)
    {
        object? ticks = (element is PSObject wrapped ? wrapped.BaseObject : element) switch
        {
            PSCustomObject => ((PSObject)element!).Properties["Ticks"]?.Value,
            IDictionary table => table["Ticks"],
            _ => null,
        };
        return ticks is long or int ? TimeSpan.FromTicks(System.Convert.ToInt64(ticks, CultureInfo.InvariantCulture)) : null;
    }

    /// <inheritdoc/>
    protected override bool IsAccepted(TimeSpan value) =>
        value >= TimeSpan.Zero && value.TotalSeconds >= Minimum && value.TotalSeconds <= Maximum
        && (TakesFractions || value.Ticks % TimeSpan.TicksPerSecond == 0);
}

/// <summary>Reads numbers that are never negative, in decimal, hexadecimal, or with PowerShell's multipliers (1MB).</summary>
public sealed class NumberArgumentAttribute(long maximum) : ElementTransformationAttribute<long>
{
    private static readonly string[] Multipliers = ["kb", "mb", "gb", "tb", "pb"];

    /// <summary>The highest number accepted.</summary>
    public long Maximum { get; } = maximum;

    /// <summary>The lowest number accepted.</summary>
    public long Minimum { get; init; }

    /// <inheritdoc/>
    protected override string AcceptedForm => string.Create(CultureInfo.InvariantCulture, $"a number from {Minimum} to {Maximum}");

    /// <inheritdoc/>
    protected override long Parse(string text) =>
        TryParseNumber(text, out long number) && IsAccepted(number)
            ? number
            : throw new FormatException($"'{text}' is not accepted. Write {AcceptedForm}.");

    /// <inheritdoc/>
    protected override bool IsAccepted(long value) => value >= Minimum && value <= Maximum;

    /// <summary>Reads the number, whatever its size.</summary>
    internal static bool TryParseNumber(string text, out long number)
    {
        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
            return long.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number) && number >= 0;
        int multiplier = Array.FindIndex(Multipliers, suffix => text.EndsWith(suffix, StringComparison.OrdinalIgnoreCase));
        if (multiplier < 0)
            return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
        int shift = (multiplier + 1) * 10;
        bool isNumber = long.TryParse(text.AsSpan(0, text.Length - 2), NumberStyles.None, CultureInfo.InvariantCulture, out number)
            && number <= long.MaxValue >> shift;
        number <<= shift;
        return isNumber;
    }
}

/// <summary>Reads the properties to group by.</summary>
public sealed class GroupPropertyArgumentAttribute : ElementTransformationAttribute<GroupProperty>
{
    /// <inheritdoc/>
    protected override string AcceptedForm => $"one or several of {GroupProperties.Choices}; {SharedNames.Choices(SharedNames.Groupings)} are short names";

    /// <inheritdoc/>
    protected override GroupProperty Parse(string text) =>
        GroupProperties.TryFind(SharedNames.Groupings.GetValueOrDefault(text, text), out GroupProperty? property)
            ? property
            : throw new FormatException($"Entries can't be grouped by '{text}'. Write {AcceptedForm}.");
}

/// <summary>Reads the value that groups are sorted by. The names of Show-ConntrackTop are accepted too: Packets and Bytes mean both
/// directions.</summary>
public sealed class GroupOrderArgumentAttribute : ElementTransformationAttribute<GroupOrder>
{
    /// <inheritdoc/>
    protected override string AcceptedForm => $"one of {KernelSpelling.Choices<GroupOrder>()}; {SharedNames.Choices(SharedNames.Amounts)} are short names";

    /// <inheritdoc/>
    protected override GroupOrder Parse(string text) =>
        KernelSpelling.TryParse(SharedNames.Amounts.GetValueOrDefault(text, text), out GroupOrder order)
            ? order
            : throw new FormatException($"Groups can't be sorted by '{text}'. Write {AcceptedForm}.");
}
