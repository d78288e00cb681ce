using System.Globalization;
using System.Net;

namespace ConntrackPS.Lab;

/// <summary>The command line's options: <c>--name value</c>, repeatable, or <c>--name</c> alone.</summary>
internal sealed class Arguments
{
    private readonly List<(string Name, string? Value)> _options = [];

    public static Arguments Parse(ReadOnlySpan<string> args)
    {
        Arguments arguments = new();
        while (!args.IsEmpty)
        {
            if (!args[0].StartsWith("--", StringComparison.Ordinal))
                throw new UsageException($"'{args[0]}' is not an option.");
            bool hasValue = args.Length > 1 && !args[1].StartsWith("--", StringComparison.Ordinal);
            arguments._options.Add((args[0], hasValue ? args[1] : null));
            args = args[(hasValue ? 2 : 1)..];
        }
        return arguments;
    }

    /// <summary>Refuses all other options, so that a misspelt option is never ignored.</summary>
    public void Allow(params ReadOnlySpan<string> names)
    {
        foreach ((string name, _) in _options)
        {
            if (!names.Contains(name))
                throw new UsageException($"there is no option {name} here.");
        }
    }

    public bool Has(string name) => _options.Exists(option => option.Name == name);

    /// <summary>The number of the last such option, or <paramref name="absent"/> if there is none. If that is null, the option is mandatory.</summary>
    public int Number(string name, int? absent, int maximum)
    {
        if (!Has(name))
            return absent ?? throw new UsageException($"{name} is missing.");
        string? value = _options.FindLast(option => option.Name == name).Value;
        return int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number <= maximum
            ? number
            : throw new UsageException($"{name} takes a number up to {maximum}.");
    }

    public IPAddress Address(string name) =>
        Addresses(name) is [IPAddress only] ? only : throw new UsageException($"{name} is wanted once here.");

    public IReadOnlyList<IPAddress> Addresses(string name)
    {
        List<IPAddress> addresses = [];
        foreach ((_, string? value) in _options.Where(option => option.Name == name))
        {
            addresses.Add(IPAddress.TryParse(value, out IPAddress? address)
                ? address
                : throw new UsageException($"{name} takes an IPv4 or IPv6 address."));
        }
        return addresses.Count > 0 ? addresses : throw new UsageException($"{name} is missing.");
    }
}
