using System.Globalization;
using System.Net;

namespace ConntrackPS.Linux;

/// <summary>The addresses of a machine, in one of its network namespaces.</summary>
internal static class LocalAddresses
{
    /// <summary>Reads them.</summary>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <returns>Prefixes such as <c>192.0.2.1/32</c>, <c>127.0.0.0/8</c> and <c>2001:db8::1/128</c>.</returns>
    /// <exception cref="NetworkNamespaceException">The namespace can't be entered.</exception>
    public static IReadOnlyList<string> Read(NetworkNamespace? networkNamespace) => NetworkNamespace.RunIn(
        networkNamespace, () => (IReadOnlyList<string>)[.. ParseTrie(Lines("fib_trie")), .. ParseList(Lines("if_inet6"))]);

    /// <summary>/proc/net/fib_trie: a line with an address, then the routes of its prefixes. The tables local and main repeat them.</summary>
    internal static IEnumerable<string> ParseTrie(IEnumerable<string> lines)
    {
        const string Leaf = "|-- ", Local = " host LOCAL";
        HashSet<string> found = [];
        string address = "";
        foreach (string line in lines.Select(line => line.Trim()))
        {
            if (line.StartsWith(Leaf, StringComparison.Ordinal))
                address = line[Leaf.Length..];
            else if (line.StartsWith('/') && line.EndsWith(Local, StringComparison.Ordinal) && found.Add(address + line[..^Local.Length]))
                yield return address + line[..^Local.Length];
        }
    }

    /// <summary>/proc/net/if_inet6: 32 digits of the address, then other columns.</summary>
    internal static IEnumerable<string> ParseList(IEnumerable<string> lines)
    {
        foreach (string line in lines)
        {
            if (line.Length > 32 && UInt128.TryParse(line[..32], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out _))
                yield return $"{new IPAddress(Convert.FromHexString(line[..32]))}/128";
        }
    }

    /// <summary>A file of this thread's namespace. Empty without the address family.</summary>
    private static string[] Lines(string file)
    {
        string path = "/proc/thread-self/net/" + file;
        return File.Exists(path) ? File.ReadAllLines(path) : [];
    }
}
