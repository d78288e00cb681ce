using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Blocking;

/// <summary>The SSH connection that this process serves, which a block could cut.</summary>
/// <param name="Client">The client's address.</param>
/// <param name="ClientPort">The client's port.</param>
/// <param name="Server">The address that the client connected to; null where only SSH_CLIENT tells, which does not hold it.</param>
/// <param name="ServerPort">sshd's port.</param>
internal sealed record SshConnection(HostAddress Client, ushort ClientPort, HostAddress? Server, ushort ServerPort)
{
    /// <summary>The client's address; an IPv4-mapped address, as an sshd with IPv6 sockets writes it, is that of IPv4.</summary>
    public HostAddress Client { get; init; } = Client.Unmapped;

    /// <summary>The address that the client connected to; null where only SSH_CLIENT tells, which does not hold it.</summary>
    public HostAddress? Server { get; init; } = Server?.Unmapped;

    /// <summary>Finds it by the environment: this process's own or, where sudo has cleared that, its ancestors'.</summary>
    /// <returns>Null where there is none.</returns>
    public static SshConnection? Find() =>
        Parse(Environment.GetEnvironmentVariable) ?? Ancestors().Select(process => Parse(ReadEnvironment(process))).FirstOrDefault(found => found is not null);

    /// <summary>Reads SSH_CONNECTION (<c>client port server port</c>) or SSH_CLIENT (<c>client port port</c>), as sshd(8) sets them.</summary>
    internal static SshConnection? Parse(Func<string, string?> variable)
    {
        if (variable("SSH_CONNECTION")?.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var client, var clientPort, var server, var serverPort])
            return Make(client, clientPort, server, serverPort);
        return variable("SSH_CLIENT")?.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var from, var fromPort, var port]
            ? Make(from, fromPort, null, port)
            : null;
    }

    /// <summary>Its entries in a table, and the one it would have if it began now, without translation.</summary>
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

    /// <summary>sshd's answers are never translated before they leave it, so that these at least have the entry's tuple.</summary>
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

    /// <summary>A link-local address has its interface behind a percent sign.</summary>
    private static HostAddress? ParseAddress(string text) =>
        AddressBits.TryParse(text.Split('%')[0], out IPFamily family, out AddressBits bits) ? new HostAddress(family, bits).Unmapped : null;

    private static bool TryParsePort(string text, out ushort port) =>
        ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port);

    /// <summary>The processes above this one, nearest first, by proc(5); those that may not be read end the search.</summary>
    private static IEnumerable<int> Ancestors()
    {
        for (int process = ParentOf(Environment.ProcessId); process > 1; process = ParentOf(process))
            yield return process;
    }

    private static int ParentOf(int process)
    {
        // The name stands in parentheses and may hold any character; state and parent follow the last one.
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

/// <summary>Keeps a block from cutting the SSH connection that asks for it.</summary>
/// <param name="table">The table of the namespace where something is to be blocked. Whichever that is: the connection may
/// pass several.</param>
/// <param name="connection">The connection; null for none.</param>
internal sealed class SshGuard(ConntrackTable table, SshConnection? connection)
{
    private readonly Lazy<ConntrackEntry[]> _own = new(() => [.. connection?.Entries(table) ?? []]);

    /// <summary>Throws where a target names the connection, or its IPv4 addresses as IPv4-mapped ones.</summary>
    /// <exception cref="OwnConnectionException">It does.</exception>
    public void Check(BlockTarget target)
    {
        ArgumentNullException.ThrowIfNull(target);
        if (_own.Value.FirstOrDefault(target.MayMean) is { } own)
            throw new OwnConnectionException(own.ToString());
    }
}

/// <summary>A block would cut the SSH connection that asks for it.</summary>
/// <param name="flow">The connection, on one line.</param>
internal sealed class OwnConnectionException(string flow)
    : Exception($"This would block the SSH connection that the command runs in: {flow}.");
