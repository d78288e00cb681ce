using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis;
using ConntrackPS.Linux;

namespace ConntrackPS.Samples;

/// <summary>Lists and looks up entries.</summary>
internal static class Reading
{
    /// <summary>Lists entries: those from or to a prefix, or all.</summary>
    public static void List(NetworkNamespace? where, string? prefix)
    {
        ConntrackTable table = new(where);
        ConntrackFilter filter = prefix is null ? new() : new() { Address = [AddressPrefix.Parse(prefix)] };

        // Entries are read on demand. Leaving the loop ends the kernel's dump.
        foreach (ConntrackEntry entry in table.Read(filter))
            Console.WriteLine($"{ProtocolNames.ToKernel(entry.Protocol)} {entry.State} {entry.TimeoutSeconds}s {entry.SourceAddress} -> {entry.DestinationAddress}");
    }

    /// <summary>Shows the translations of established TCP connections to well-known ports.</summary>
    public static void Translated(NetworkNamespace? where, string? prefix)
    {
        ConntrackFilter filter = new()
        {
            Protocol = [IPProtocol.Tcp],
            State = [ConntrackState.Established],
            DestinationPort = [new PortRange(1, 1023)],
            SourceNat = true,
            TranslatedSourceAddress = prefix is null ? [] : [AddressPrefix.Parse(prefix)],
        };
        if (filter.Contradiction is { } why)
            throw new FormatException($"Nothing can match: {why.Reason}");
        foreach (ConntrackEntry entry in new ConntrackTable(where).Read(filter))
            Console.WriteLine($"{entry.SourceAddress}:{entry.SourcePort} is {entry.ReplyDestinationAddress}:{entry.ReplyDestinationPort}");
    }

    /// <summary>Looks up one connection by a packet of either direction.</summary>
    public static void Find(NetworkNamespace? where, ConntrackTuple seen)
    {
        using EntryFinder finder = new ConntrackTable(where).CreateFinder();
        EntryKey key = new(seen, Zone: 0, OriginalZone: null, Id: null);
        ConntrackEntry? entry = finder.FindEitherWay(key);
        Console.WriteLine(entry is null ? "There is none." : $"{entry}, status {entry.Status}, id {entry.Id}");
    }

    /// <summary>Lists deleted entries that packets still refer to, on a separate thread, which Ctrl+C ends immediately.</summary>
    public static void Dying(NetworkNamespace? where)
    {
        using EntryStream stream = new ConntrackTable(where).Open(kind: TableKind.Dying);
        Console.CancelKeyPress += (_, pressed) =>
        {
            pressed.Cancel = true;
            stream.Cancel();
        };
        try
        {
            foreach (IReadOnlyList<ConntrackEntry> batch in stream.Batches())
                Console.WriteLine(string.Join('\n', batch));
        }
        catch (OperationCanceledException)
        {
            Console.WriteLine("Stopped.");
        }
    }

    /// <summary>Shows how full the table of each named network namespace is, and runs code in each.</summary>
    public static void Namespaces()
    {
        foreach (string name in NetworkNamespace.Names())
        {
            try
            {
                NetworkNamespace one = NetworkNamespace.Parse(name);
                ConntrackStat stat = ConntrackStat.Read(one);

                // Sockets that are opened here belong to the namespace. /proc/sys/net shows it too.
                string forwards = one.Run(() => File.ReadAllText("/proc/sys/net/ipv4/ip_forward").Trim());
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: {stat.Count} entries of {stat.Maximum}, ip_forward {forwards}"));
            }
            catch (NetworkNamespaceException gone)
            {
                Console.WriteLine($"{name}: {gone.Message}");
            }
        }
    }
}

/// <summary>Reads the tuple of one direction from typed text.</summary>
internal static class Tuples
{
    public static ConntrackTuple Parse(string protocol, string source, string sourcePort, string destination, string destinationPort)
    {
        if (!ProtocolNames.TryParse(protocol, out IPProtocol known))
            throw new FormatException($"'{protocol}' is no protocol.");
        HostAddress from = HostAddress.Parse(source), to = HostAddress.Parse(destination);
        return new ConntrackTuple
        {
            Family = from.Family,
            Protocol = known,
            Source = from.Bits,
            Destination = to.Bits,
            HasPorts = true,
            SourcePort = ushort.Parse(sourcePort, CultureInfo.InvariantCulture),
            DestinationPort = ushort.Parse(destinationPort, CultureInfo.InvariantCulture),
        };
    }
}
