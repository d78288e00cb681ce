using System.Buffers;
using System.Collections;
using System.Globalization;
using System.Management.Automation;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Pipeline;

/// <summary>Reads the properties of any object as text: deserialised objects, rows of Import-Csv, and JSON.</summary>
internal readonly struct PropertyBag(PSObject source)
{
    /// <summary>A property that all entries have. A part of a tuple does not have it.</summary>
    public const string Family = "AddressFamily";

    private static readonly string[] TimeForms = ["yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd HH:mm:ss.FFFFFFFK"];

    private const string Source = "SourceAddress";
    private const string Destination = "DestinationAddress";

    /// <summary>Direction marks, which some cultures write beside a minus sign.</summary>
    private static readonly SearchValues<char> DirectionMarks = SearchValues.Create("\u061c\u200e\u200f");

    /// <summary>The property as text; null if it is missing or empty.</summary>
    public string? Text(string name)
    {
        string? text = AsWritten(name);
        return string.IsNullOrWhiteSpace(text) ? null : text.Trim();
    }

    /// <summary>The network namespace, or null for the caller's own. Blanks are part of its name: without them it would be another one.</summary>
    public string? Namespace => AsWritten("Namespace") is { Length: > 0 } name ? name : null;

    private string? AsWritten(string name) => source.Properties[name]?.Value is { } value ? LanguagePrimitives.ConvertTo<string>(value) : null;

    /// <summary>The property as a number; null if it is missing or empty.</summary>
    /// <exception cref="FormatException">It is not a number from 0 to the maximum.</exception>
    public uint? Number(string name, uint maximum)
    {
        if (Text(name) is not { } text)
            return null;
        return uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) && number <= maximum
            ? number
            : throw new FormatException($"its {name} '{text}' is not a number from 0 to {maximum}.");
    }

    /// <summary>The property as a port or another number of 16 bits.</summary>
    /// <exception cref="FormatException">It is out of range.</exception>
    public ushort? Port(string name) => (ushort?)Number(name, ushort.MaxValue);

    /// <summary>The property as an address.</summary>
    /// <exception cref="FormatException">It is missing or not an address.</exception>
    public AddressBits Address(string name, out IPFamily family)
    {
        string text = Text(name) ?? throw new FormatException($"it has no {name}.");
        return AddressBits.TryParse(text, out family, out AddressBits address)
            ? address
            : throw new FormatException($"its {name} '{text}' is not an address.");
    }

    /// <summary>The tuple of an entry: Protocol, SourceAddress, SourcePort, DestinationAddress, DestinationPort, or the properties of ICMP
    /// or GRE instead of ports. An ICMP tuple can lack all of these. It is incomplete then.</summary>
    /// <param name="direction">The prefix of the names except Protocol: empty, or "Reply".</param>
    /// <exception cref="FormatException">One is missing or bad.</exception>
    public ConntrackTuple EntryTuple(string direction)
    {
        ConntrackTuple tuple = Hides(direction + Source) || Hides(direction + Destination) ? KnownAddresses(direction) : Addresses("Protocol", direction);
        TupleNumbers numbers = TupleNumbers.Of(tuple.Protocol);
        string? given = FirstGiven(numbers, direction);
        if (given is not null && !tuple.IsIcmp && !tuple.MayHavePorts)
            throw new FormatException($"it has a {given}, but {ProtocolNames.ToKernel(tuple.Protocol)} has no ports.");
        return given is not null || tuple.MustHavePorts ? WithNumbers(tuple, numbers, direction) : tuple;
    }

    /// <summary>The tuple of an expectation or a master. Its fields of ICMP and GRE have the names of ports, after a prefix. Without ports
    /// the tuple has none.</summary>
    /// <param name="prefix">The prefix of the names: empty or "Master".</param>
    /// <param name="mayLackProtocol">True if the protocol may be unknown, as in text; it is 0 then.</param>
    /// <exception cref="FormatException">One is missing or bad, or one of the two ports is missing.</exception>
    public ConntrackTuple Tuple(string prefix, bool mayLackProtocol = false)
    {
        ConntrackTuple tuple = Addresses(mayLackProtocol ? null : prefix + "Protocol", prefix);
        return FirstGiven(TupleNumbers.Ports, prefix) is null ? tuple : WithNumbers(tuple, TupleNumbers.Ports, prefix);
    }

    private ConntrackTuple Addresses(string? protocolName, string prefix)
    {
        IPProtocol protocol = protocolName is null ? default : Protocol(protocolName);
        AddressBits source = Address(prefix + "SourceAddress", out IPFamily family);
        AddressBits destination = Address(prefix + "DestinationAddress", out IPFamily other);
        if (family != other)
            throw new FormatException($"its {prefix}SourceAddress and {prefix}DestinationAddress are of different families.");
        return new ConntrackTuple { Family = family, Protocol = protocol, Source = source, Destination = destination };
    }

    /// <summary>True for a part of a tuple that an entry from a file lacks, because the text hid it that the entry was read from.</summary>
    public bool Hides(string name) => source.Properties[name] is not null && Text(name) is null && Text(Family) is not null;

    private ConntrackTuple KnownAddresses(string direction)
    {
        if (!Enum.TryParse(Text(Family), out IPFamily family) || !Enum.IsDefined(family))
            throw new FormatException($"its {Family} '{Text(Family)}' is not known.");
        ConntrackTuple tuple = new() { Family = family, Protocol = Protocol("Protocol") };
        tuple = Hides(direction + Source)
            ? tuple with { Gaps = TupleGaps.Source }
            : tuple with { Source = Address(direction + Source, out family) };
        if (family == tuple.Family)
        {
            tuple = Hides(direction + Destination)
                ? tuple with { Gaps = tuple.Gaps | TupleGaps.Destination }
                : tuple with { Destination = Address(direction + Destination, out family) };
        }

        return family == tuple.Family ? tuple : throw new FormatException($"its addresses are not of the family {tuple.Family}.");
    }

    private IPProtocol Protocol(string property)
    {
        string name = Text(property) ?? throw new FormatException($"it has no {property}.");
        return ProtocolNames.TryParse(name, out IPProtocol protocol) ? protocol : throw new FormatException($"its {property} '{name}' is not known.");
    }

    private string? FirstGiven(TupleNumbers numbers, string prefix)
    {
        foreach (string name in numbers.Names)
        {
            if (Text(prefix + name) is not null)
                return prefix + name;
        }

        return null;
    }

    /// <summary>The numbers of a tuple that an entry from a file lacks.</summary>
    public TupleGaps HiddenNumbers(TupleNumbers numbers, string prefix)
    {
        bool hidesDestination = Hides(prefix + numbers.Destination) && (numbers.LowByte is not { } low || Hides(prefix + low));
        return (Hides(prefix + numbers.Source) ? TupleGaps.SourcePort : TupleGaps.None) | (hidesDestination ? TupleGaps.DestinationPort : TupleGaps.None);
    }

    /// <summary>Requires all numbers, because a missing one would be read as zero.</summary>
    private ConntrackTuple WithNumbers(ConntrackTuple tuple, TupleNumbers numbers, string prefix)
    {
        PropertyBag bag = this;
        TupleGaps gaps = HiddenNumbers(numbers, prefix);
        return numbers.Fill(tuple with { Gaps = tuple.Gaps | gaps }, (name, maximum) =>
            bag.Number(prefix + name, maximum) ?? ((gaps & (name == numbers.Source ? TupleGaps.SourcePort : TupleGaps.DestinationPort)) != 0 ? 0u : throw new FormatException($"it has no {prefix}{name}.")));
    }

    /// <summary>The property as a number of 64 bits; null if it is missing or empty.</summary>
    /// <exception cref="FormatException">It can't be read.</exception>
    public ulong? LongNumber(string name)
    {
        if (Text(name) is not { } text)
            return null;
        return ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number)
            ? number
            : throw new FormatException($"its {name} '{text}' is not a number.");
    }

    /// <summary>The property as a number that may be negative; null if it is missing or empty.</summary>
    /// <exception cref="FormatException">It can't be read.</exception>
    public int? SignedNumber(string name)
    {
        if (Text(name) is not { } text)
            return null;

        // Export-Csv writes the minus sign of the writer's culture.
        string plain = string.Concat(text.Where(letter => !DirectionMarks.Contains(letter))).Replace('\u2212', '-');
        return int.TryParse(plain, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number)
            ? number
            : throw new FormatException($"its {name} '{text}' is not a number.");
    }

    /// <summary>The property as a number with decimals; null if it is missing or empty.</summary>
    /// <exception cref="FormatException">It can't be read.</exception>
    public double? Decimal(string name) => BaseValue(name) switch
    {
        double number => number,
        decimal number => (double)number,
        _ when Text(name) is not { } text => null,
        _ => double.TryParse(Text(name), NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            ? number
            : throw new FormatException($"its {name} '{Text(name)}' is not a number."),
    };

    /// <summary>The property as bits, by their names or as a number; null if it is missing or empty.</summary>
    /// <exception cref="FormatException">A name is not in the enumeration.</exception>
    public uint? Flags<T>(string name)
        where T : struct, Enum
    {
        if (Text(name) is not { } text)
            return null;
        return KernelSpelling.ParseBits<T>(text, out string? unknown) ?? throw new FormatException($"its {name} '{unknown}' is not known.");
    }

    /// <summary>The words of Extra: a dictionary in CLIXML, an object in JSON, a text in CSV; null if it is missing or empty.</summary>
    public ExtraWords? Words(string name)
    {
        if (Text(name) is not { } text)
            return null;
        IEnumerable<KeyValuePair<string, object?>>? words = BaseValue(name) switch
        {
            IDictionary dictionary => dictionary.Cast<DictionaryEntry>().Select(word => KeyValuePair.Create(word.Key.ToString()!, word.Value)),
            PSObject { BaseObject: PSCustomObject } read => read.Properties.Select(word => KeyValuePair.Create(word.Name, (object?)word.Value)),
            _ => null,
        };
        return words is null
            ? ExtraWords.Parse(text)
            : ExtraWords.Of(words.ToDictionary(word => word.Key, word => LanguagePrimitives.ConvertTo<string>(word.Value), StringComparer.Ordinal));
    }

    /// <summary>A time in nanoseconds since 1970, from the property with nanoseconds or otherwise from the property with the time; null
    /// if both are missing or empty.</summary>
    /// <remarks>Export-Csv writes times in the culture and calendar of the writer, and without the offset. Therefore only one form of text
    /// is accepted, which is unambiguous.</remarks>
    /// <exception cref="FormatException">It can't be read.</exception>
    public ulong? Time(string name, string timestampName)
    {
        if (LongNumber(timestampName) is { } timestamp)
            return timestamp;
        if (Text(name) is not { } text)
            return null;
        DateTimeOffset? time = BaseValue(name) switch
        {
            DateTime local => new DateTimeOffset(local.ToUniversalTime()),
            DateTimeOffset exact => exact,

            // CLIXML turns a DateTimeOffset into this.
            PSObject { Properties: var parts } when parts["UtcDateTime"]?.Value is DateTime utc => new DateTimeOffset(utc.ToUniversalTime()),
            _ => DateTimeOffset.TryParseExact(text, TimeForms, CultureInfo.InvariantCulture, DateTimeStyles.AssumeLocal, out DateTimeOffset parsed) ? parsed : null,
        };
        return time is { } given && given >= DateTimeOffset.UnixEpoch
            ? (ulong)(given - DateTimeOffset.UnixEpoch).Ticks * 100
            : throw new FormatException(
                $"its {name} '{text}' is not an unambiguous time such as 2026-03-04T05:06:07+01:00. Give {timestampName}, or omit {name}.");
    }

    private object? BaseValue(string name) => source.Properties[name]?.Value switch
    {
        PSObject { BaseObject: not PSCustomObject and var plain } => plain,
        var value => value,
    };
}
