using System.Globalization;

namespace ConntrackPS.Conntrack.Filtering;

/// <summary>A port, or a range of ports.</summary>
public readonly record struct PortRange
{
    /// <summary>One port.</summary>
    /// <param name="port">0 to 65535.</param>
    /// <exception cref="FormatException">The port is out of range.</exception>
    public PortRange(int port)
        : this(port, port)
    {
    }

    /// <summary>A range of ports, including both ends.</summary>
    /// <param name="first">0 to 65535.</param>
    /// <param name="last">0 to 65535, not less than the first.</param>
    /// <exception cref="FormatException">A port is out of range, or the first is greater than the last.</exception>
    public PortRange(int first, int last)
    {
        if (first < 0 || last > ushort.MaxValue || first > last)
            throw Refuse(first == last ? first.ToString(CultureInfo.InvariantCulture) : $"{first}-{last}");
        (First, Last) = ((ushort)first, (ushort)last);
    }

    /// <summary>The lowest port.</summary>
    public ushort First { get; }

    /// <summary>The highest port.</summary>
    public ushort Last { get; }

    /// <summary>Parses <c>80</c> or <c>1000-2000</c>.</summary>
    /// <exception cref="FormatException">The text is neither.</exception>
    public static PortRange Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParse(text, out PortRange range) ? range : throw Refuse(text);
    }

    /// <summary>Parses <c>80</c> or <c>1000-2000</c>. False if the text is neither.</summary>
    internal static bool TryParse(string text, out PortRange range)
    {
        range = default;
        string[] ends = text.Split('-');
        if (ends.Length > 2 || !TryParsePort(ends[0], out int first) || !TryParsePort(ends[^1], out int last) || first > last)
            return false;
        range = new PortRange(first, last);
        return true;
    }

    /// <summary>True if the port is in the range.</summary>
    internal bool Contains(ushort port) => port >= First && port <= Last;

    /// <summary>The range as text.</summary>
    public override string ToString() =>
        First == Last
            ? First.ToString(CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $"{First}-{Last}");

    private static bool TryParsePort(string text, out int port) =>
        int.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out port) && port <= ushort.MaxValue;

    private static FormatException Refuse(string text) =>
        new($"'{text}' is not a port. Write a number from 0 to 65535, or a range such as 1000-2000.");
}
