using System.Globalization;
using System.Text;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Linux;

namespace ConntrackPS.Conntrack;

/// <summary>The names of ports from /etc/services.</summary>
/// <remarks>services(5). If the file is missing, as on a minimal system without the package netbase, ports have no names.</remarks>
internal sealed class ServiceNames
{
    /// <summary>The form that <see cref="ParseRange"/> accepts, for messages.</summary>
    public const string AcceptedForm = "a number from 0 to 65535, a range such as 1000-2000, or a service such as https";

    private const string OnePort = "a number from 0 to 65535, or a service such as https";

    private static readonly Lazy<ServiceNames> SystemNames = new(() => Parse(NameFile.Read("/", "etc/services")));

    private readonly Dictionary<string, SortedSet<ushort>> _ports = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<(string Protocol, ushort Port), string> _names = [];

    private ServiceNames()
    {
    }

    /// <summary>The names on this machine. The file is read once.</summary>
    public static ServiceNames System => SystemNames.Value;

    /// <summary>True if there are no names, because the file is missing.</summary>
    public bool IsEmpty => _ports.Count == 0;

    /// <summary>Parses the lines of a services file: <c>domain 53/udp nameserver # comment</c>. Skips other lines.</summary>
    public static ServiceNames Parse(IEnumerable<string> lines)
    {
        ServiceNames services = new();
        foreach (string[] words in NameFile.Words(lines))
        {
            if (words.Length < 2
                || words[1].Split('/') is not [var number, { Length: > 0 } protocol]
                || !ushort.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port))
                continue;
            services._names.TryAdd((protocol.ToLowerInvariant(), port), words[0]);
            foreach (string name in words.Where((_, index) => index != 1))
            {
                if (!services._ports.TryGetValue(name, out SortedSet<ushort>? ports))
                    services._ports.Add(name, ports = []);
                ports.Add(port);
            }
        }

        return services;
    }

    /// <summary>The port of a service name or alias, in any case.</summary>
    /// <returns>Null if the file does not have the name.</returns>
    /// <exception cref="FormatException">The name has different ports for different protocols.</exception>
    public ushort? PortOf(string name)
    {
        if (!_ports.TryGetValue(name, out SortedSet<ushort>? ports))
            return null;
        return ports.Count == 1
            ? ports.Min
            : throw new FormatException($"'{name}' has several ports in /etc/services. Write one of {string.Join(", ", ports)}.");
    }

    /// <summary>Reads a port, a service, or a range between two of them: <c>443</c>, <c>https</c>, <c>1000-2000</c>, <c>http-https</c>,
    /// <c>80-https</c>. A text that the file has as a name is that service, even if it contains a hyphen.</summary>
    /// <exception cref="FormatException">The text has another form, or is ambiguous. The message shows the accepted forms.</exception>
    public PortRange ParseRange(string text)
    {
        if (PortRange.TryParse(text, out PortRange range))
            return range;
        if (PortOf(text) is { } port)
            return new PortRange(port);
        (ushort First, ushort Last)[] ends = [.. SplitsOf(text).Distinct()];
        return ends switch
        {
            [] => throw Refuse(text, AcceptedForm),
            [var (first, last)] when first <= last => new PortRange(first, last),
            [var (first, last)] when text.Any(char.IsAsciiLetter) => throw new FormatException($"'{text}' is {first}-{last}, but the first port of a range must be the lower one."),
            [_] => throw Refuse(text, AcceptedForm),
            _ => throw new FormatException($"'{text}' can be read as {string.Join(" or ", ends.Select(end => $"{end.First}-{end.Last}"))}. Write the numbers."),
        };
    }

    /// <summary>The ends of a range, for each hyphen that has a port or a service on both sides.</summary>
    private IEnumerable<(ushort First, ushort Last)> SplitsOf(string text)
    {
        for (int at = text.IndexOf('-', StringComparison.Ordinal); at >= 0; at = text.IndexOf('-', at + 1))
        {
            if (EndOf(text[..at].Trim()) is { } first && EndOf(text[(at + 1)..].Trim()) is { } last)
                yield return (first, last);
        }
    }

    private ushort? EndOf(string text) => PortRange.TryParse(text, out PortRange range) && range.First == range.Last && !text.Contains('-', StringComparison.Ordinal)
        ? range.First
        : PortOf(text);

    /// <summary>Parses a port or a service name.</summary>
    /// <exception cref="FormatException">The text is neither. The message contains the accepted form.</exception>
    public ushort ParsePort(string text) =>
        PortRange.TryParse(text, out PortRange range) && range.First == range.Last ? range.First : PortOf(text) ?? throw Refuse(text, OnePort);

    /// <summary>The service name of a port for one protocol, or null if it has none.</summary>
    public string? NameOf(IPProtocol protocol, ushort port) => _names.GetValueOrDefault((ProtocolNames.ToKernel(protocol), port));

    /// <summary>The service name of a port for any protocol. Null if it has none, or if TCP and UDP have different names.</summary>
    public string? NameOf(ushort port) => (NameOf(IPProtocol.Tcp, port), NameOf(IPProtocol.Udp, port)) switch
    {
        (null, var udp) => udp,
        (var tcp, null) => tcp,
        var (tcp, udp) => tcp == udp ? tcp : null,
    };

    /// <summary>The services with a name or alias that starts with a prefix, once for each port.</summary>
    public IEnumerable<(string Name, ushort Port)> StartingWith(string prefix) =>
        from pair in _ports
        where pair.Value.Count == 1 && pair.Key.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)
        orderby pair.Key
        select (pair.Key, pair.Value.Min);

    private FormatException Refuse(string text, string accepted)
    {
        if (text.Length == 0 || !char.IsAsciiLetter(text[0]))
            return new FormatException($"'{text}' is not a port. Write {accepted}.");
        return new FormatException(IsEmpty
            ? $"'{text}' can't be looked up: this machine has no /etc/services, which the package netbase brings. Write {accepted}."
            : $"'{text}' is not a service of /etc/services. Write {accepted}.");
    }
}

/// <summary>Files in /etc that give names to numbers, a line each, with comments after '#'. Windows has them in another folder.</summary>
internal static class NameFile
{
    /// <summary>The lines of the first existing file. Empty if there is none or it can't be read. It never blocks on a pipe, a device or an
    /// endless file.</summary>
    /// <param name="root">The root of the file system.</param>
    /// <param name="paths">The files, relative to the root.</param>
    public static IReadOnlyList<string> Read(string root, params string[] paths)
    {
        try
        {
            if (!Platform.IsLinux)
                return paths.Select(path => PathElsewhere(root, path)).FirstOrDefault(File.Exists) is { } file ? File.ReadAllLines(file) : [];
            using RootFolder? folder = RootFolder.TryOpen(root);
            foreach (string path in folder is null ? [] : paths)
            {
                using FilePlace? place = folder!.Find(path);
                if (place?.Read() is { } bytes)
                    return Encoding.UTF8.GetString(bytes).Split('\n');
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Names are optional: without them users see numbers.
        }

        return [];
    }

    /// <summary>Windows calls etc/protocols "protocol"; the others are of the same name.</summary>
    private static string PathElsewhere(string root, string path) => OperatingSystem.IsWindows()
        ? Path.Combine(Environment.SystemDirectory, "drivers", "etc", path == "etc/protocols" ? "protocol" : Path.GetFileName(path))
        : Path.Combine(root, path);

    /// <summary>The words of each line that is not empty.</summary>
    public static IEnumerable<string[]> Words(IEnumerable<string> lines) =>
        from line in lines
        let words = line.Split('#', 2)[0].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
        where words.Length > 0
        select words;
}
