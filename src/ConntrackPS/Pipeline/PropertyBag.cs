using System.Globalization;
using System.Management.Automation;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Pipeline;

/// <summary>Reads the properties of any object as text: deserialised ones, those of Import-Csv and of JSON alike.</summary>
internal readonly struct PropertyBag(PSObject source)
{
    /// <summary>The property as text; null where it is missing or empty.</summary>
    public string? Text(string name)
    {
        object? value = source.Properties[name]?.Value;
        string? text = value is null ? null : LanguagePrimitives.ConvertTo<string>(value);
        return string.IsNullOrWhiteSpace(text) ? null : text.Trim();
    }

    /// <summary>The property as a number; null where it is missing or empty.</summary>
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
    /// <exception cref="FormatException">It is missing or none.</exception>
    public AddressBits Address(string name, out IPFamily family)
    {
        string text = Text(name) ?? throw new FormatException($"it has no {name}.");
        return AddressBits.TryParse(text, out family, out AddressBits address)
            ? address
            : throw new FormatException($"its {name} '{text}' is not an address.");
    }
}
