using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

// core-sample [--namespace NAME] [--remove ADDRESS]
// Shows how full a connection-tracking table is, some of its entries and the busiest sources; then deletes the entries of one.
NetworkNamespace? router = null;
AddressPrefix? unwanted = null;
try
{
    for (int i = 0; i < args.Length; i += 2)
    {
        string value = i + 1 < args.Length ? args[i + 1] : throw new FormatException($"{args[i]} wants a value.");
        switch (args[i])
        {
            case "--namespace": router = NetworkNamespace.Parse(value); break;
            case "--remove": unwanted = AddressPrefix.Parse(value); break;
            default: throw new FormatException($"There is no option {args[i]}.");
        }
    }

    ConntrackTable table = new(router);
    ShowFill();
    ShowSomeOfEachKind(table);
    ShowBusiestSources(table);
    if (unwanted is { } source)
    {
        Remove(table, source);
        ShowFill();
    }

    return 0;
}
catch (Exception e) when (e is FormatException or NetworkNamespaceException or ConntrackUnavailableException or NetlinkException)
{
    await Console.Error.WriteLineAsync($"core-sample: {e.Message}");
    return 1;
}

void ShowFill()
{
    ConntrackStat stat = ConntrackStat.Read(router);
    Console.WriteLine($"The table has {stat.Count} entries of {stat.Maximum}.");
}

static void ShowSomeOfEachKind(ConntrackTable table)
{
    ConntrackFilter[] kinds =
    [
        new() { Protocol = [IPProtocol.Tcp], SourceNat = true },
        new() { Protocol = [IPProtocol.Tcp], DestinationNat = true },
        new() { Protocol = [IPProtocol.Udp], Status = ConntrackStatus.SeenReply },
        new() { Protocol = [IPProtocol.Icmp] },
        new() { Protocol = [IPProtocol.IcmpV6] },
    ];
    Console.WriteLine("Some of each kind:");
    foreach (ConntrackFilter kind in kinds)
    {
        // Reading is lazy: two entries taken, the dump ends.
        foreach (ConntrackEntry entry in table.Read(kind).Take(2))
            Console.WriteLine($"    {entry}");
    }
}

static void ShowBusiestSources(ConntrackTable table)
{
    Console.WriteLine("The busiest sources:");
    foreach ((string source, int count) in table.Read().CountBy(entry => entry.SourceAddress).OrderByDescending(pair => pair.Value).Take(5))
        Console.WriteLine($"    {count,8} {source}");
}

static void Remove(ConntrackTable table, AddressPrefix source)
{
    ConntrackFilter filter = new() { SourceAddress = [source] };
    if (!filter.NamesEntries)
        throw new FormatException($"{source} is every address; that is more than one client.");
    using EntryDeleter deleter = table.CreateDeleter();
    foreach (ConntrackEntry entry in table.Read(filter))
        deleter.Add(EntryKey.Of(entry), entry);
    deleter.Flush();
    Console.WriteLine($"Of {source}: {deleter.Deleted} entries deleted, {deleter.AlreadyGone} were gone already, {deleter.Failed} refused.");
}
