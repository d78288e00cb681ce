using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Blocking;

/// <summary>The SSH connection of this process, which a block could cut.</summary>
/// <param name="Client">The client's address.</param>
/// <param name="ClientPort">The client's port.</param>
/// <param name="Server">The address that the client connected to. Null if only SSH_CLIENT is set, which does not contain it.</param>
/// <param name="ServerPort">The port of sshd.</param>
internal sealed record SshConnection(HostAddress Client, ushort ClientPort, HostAddress? Server, ushort ServerPort)
{
    /// <summary>The client's address. An IPv4-mapped address, which an sshd with IPv6 sockets reports, is converted to IPv4.</summary>
    public HostAddress Client { get; init; } = Client.Unmapped;

    /// <summary>The address that the client connected to. Null if only SSH_CLIENT is set, which does not contain it.</summary>
    public HostAddress? Server { get; init; } = Server?.Unmapped;

    /// <summary>Finds the connection in the environment of this process or, if sudo has cleared it, of its ancestors.</summary>
    /// <returns>Null if there is none.</returns>
    public static SshConnection? Find() =>
        Parse(Environment.GetEnvironmentVariable) ?? Ancestors().Select(process => Parse(ReadEnvironment(process))).FirstOrDefault(found => found is not null);

    /// <summary>Parses SSH_CONNECTION (<c>client port server port</c>) or SSH_CLIENT (<c>client port port</c>), as set by
    /// sshd(8).</summary>
    internal static SshConnection? Parse(Func<string, string?> variable)
    {
        if (variable("SSH_CONNECTION")?.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var client, var clientPort, var server, var serverPort])
            return Make(client, clientPort, server, serverPort);
        return variable("SSH_CLIENT")?.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var from, var fromPort, var port]
            ? Make(from, fromPort, null, port)
            : null;
    }

    /// <summary>The entries of the connection in a table, and the entry that it would have without translation if it started now.</summary>
    internal IEnumerable<ConntrackEntry> Entries(ConntrackTable table)
    {
        ConntrackTuple tuple = new()
        {
            Family = Client.Family,
            Protocol = IPProtocol.Tcp,
            HasPorts = true,
            Source = Client.Bits,
            SourcePort = ClientPort,
            Destination = Server?.Bits ?? default,
            DestinationPort = ServerPort,
        };
        ConntrackTuple answer = TupleInversion.Invert(tuple)!.Value;
        return [.. Server is null ? FindByClient(table) : FindByTuple(table, tuple, answer), new ConntrackEntry { Original = tuple, Reply = answer }];
    }

    /// <summary>Replies of sshd are not translated before they leave it, so at least these have the tuple of the entry.</summary>
    private static IEnumerable<ConntrackEntry> FindByTuple(ConntrackTable table, params ConntrackTuple[] tuples)
    {
        using EntryFinder finder = table.CreateFinder();
        return [.. tuples.SelectMany(tuple => finder.FindBothWays(new EntryKey(tuple, 0, null, null)))];
    }

    private IEnumerable<ConntrackEntry> FindByClient(ConntrackTable table)
    {
        ConntrackFilter filter = new() { Protocol = [IPProtocol.Tcp] };
        filter = TupleProperties.AddressIn(TuplePlaces.OriginalSource).Set(filter, [AddressPrefix.Of(Client)]);
        return table.Read(TupleProperties.PortIn(TuplePlaces.OriginalSource).Set(filter, [new PortRange(ClientPort)]));
    }

    private static SshConnection? Make(string client, string clientPort, string? server, string serverPort)
    {
        if (ParseAddress(client) is not { } from || !TryParsePort(clientPort, out ushort fromPort) || !TryParsePort(serverPort, out ushort port))
            return null;
        return new SshConnection(from, fromPort, server is not null && ParseAddress(server) is { } to && to.Family == from.Family ? to : null, port);
    }

    /// <summary>A link-local address has its interface after a percent sign.</summary>
    private static HostAddress? ParseAddress(string text) =>
        AddressBits.TryParse(text.Split('%')[0], out IPFamily family, out AddressBits bits) ? new HostAddress(family, bits).Unmapped : null;

    private static bool TryParsePort(string text, out ushort port) =>
        ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port);

    /// <summary>The ancestors of this process, nearest first, from proc(5). The search ends at one that can't be read.</summary>
    private static IEnumerable<int> Ancestors()
    {
        for (int process = ParentOf(Environment.ProcessId); process > 1; process = ParentOf(process))
            yield return process;
    }

    private static int ParentOf(int process)
    {
        // The name is in parentheses and may contain any character. State and parent follow the last parenthesis.
        string status = Read($"/proc/{process}/stat");
        string[] fields = status[(status.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > 1 && int.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out int parent) ? parent : 0;
    }

    private static Func<string, string?> ReadEnvironment(int process)
    {
        string[] lines = Read($"/proc/{process}/environ").Split('\0');
        return name => lines.FirstOrDefault(line => line.StartsWith(name + '=', StringComparison.Ordinal))?[(name.Length + 1)..];
    }

    private static string Read(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}

/// <summary>Prevents a block or another rule from affecting the SSH connection of its user.</summary>
/// <param name="table">The table of the namespace of the rule. The connection may pass several namespaces, and any of them can cut
/// it.</param>
/// <param name="connection">The connection, or null for none.</param>
/// <param name="effect">The effect on the connection, for the error, such as "block".</param>
internal sealed class SshGuard(ConntrackTable table, SshConnection? connection, string effect = "block")
{
    private readonly Lazy<ConntrackEntry[]> _own = new(() => [.. connection?.Entries(table) ?? []]);

    /// <summary>Throws if a target includes the connection, also with IPv4-mapped addresses for its IPv4 addresses.</summary>
    /// <exception cref="OwnConnectionException">The target includes the connection.</exception>
    public void Check(BlockTarget target)
    {
        ArgumentNullException.ThrowIfNull(target);
        if (_own.Value.FirstOrDefault(target.MayMean) is { } own)
            throw new OwnConnectionException(own.ToString(), effect);
    }
}

/// <summary>A block or another rule would affect the SSH connection of its user.</summary>
/// <param name="flow">The connection, on one line.</param>
/// <param name="effect">The effect on the connection.</param>
internal sealed class OwnConnectionException(string flow, string effect = "block")
    : Exception($"This would {effect} the SSH connection that the command runs in: {flow}.");
