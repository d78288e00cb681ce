using ConntrackPS.Blocking;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Linux;
using ConntrackPS.Nftables;
using ConntrackPS.Rules;
using ConntrackPS.Rules.Tracking;

namespace ConntrackPS.Samples;

/// <summary>Drops traffic while the program runs.</summary>
internal static class Blocks
{
    /// <summary>Ends all connections from a prefix, and drops their packets for some seconds, so that no entry comes back.</summary>
    public static void Block(NetworkNamespace? where, string prefix, TimeSpan duration)
    {
        ConntrackFilter filter = new() { SourceAddress = [AddressPrefix.Parse(prefix)] };
        BlockTarget target = BlockTarget.Of(filter);
        ConntrackTable table = new(where);

        // The rules belong to a netlink socket. The kernel removes them when it is disposed, or when the process ends, also after a crash.
        using TrafficBlock block = TrafficBlock.Open(target, where);
        List<ConntrackEntry> flows = [];
        target.Find(table, flows);
        block.AddFlows(flows);
        table.Delete(filter, onFailure: refused => Console.Error.WriteLine(refused.Failure!.Message));
        Console.WriteLine($"Table {block.Table} drops {target.Description}, {flows.Count} connections of now among them.");
        Thread.Sleep(duration);
        RuleCounters dropped = block.ReadCounters();
        Console.WriteLine($"{dropped.Packets} packets were dropped, {dropped.Bytes} bytes. {block.Problem}");
    }

    /// <summary>Shows the rules that this library added: of any process, and those that boot loads.</summary>
    public static void Rules(NetworkNamespace? where)
    {
        foreach (ConntrackRule rule in new RuleBook(where).Read())
        {
            string stays = rule.Lifetime == RuleLifetime.Process ? $"until process {rule.ProcessId} ends" : $"from {rule.File ?? "no file"}";
            Console.WriteLine($"{rule.Kind} {rule.Name}: {rule.Effect}, {rule.Traffic}; {rule.Packets ?? 0} packets; {stays}");

            // The limits of this process, and persisted ones, with those that have most connections.
            LimitedSources.Read(rule, new ConntrackTable(where));
            foreach (LimitedSource source in (rule.Sources ?? []).Take(3))
                Console.WriteLine($"  {source.Source} has {source.Count} of {source.Maximum}{(source.IsOver ? ", too many" : "")}");
        }
    }

    /// <summary>Says whether traffic to a port could go without tracking, and what needs its entries if not.</summary>
    public static void CheckTracking(NetworkNamespace? where, string address, string port)
    {
        ConntrackFilter filter = new() { Protocol = [IPProtocol.Udp], DestinationAddress = [AddressPrefix.Parse(address)], DestinationPort = [PortRange.Parse(port)] };
        try
        {
            IReadOnlyList<TrackingReason> reasons = TrackingCheck.Find(filter, where);
            if (reasons.Count > 0)
                throw new TrackingNeededException(reasons);
            Console.WriteLine($"Nothing needs {filter}.");
        }
        catch (TrackingNeededException exception)
        {
            foreach (TrackingReason reason in exception.Reasons)
                Console.WriteLine($"{reason.Place}: {reason.Explanation}");
        }
    }

    /// <summary>Removes a rule, with its file if it is persisted. A rule of another process stays.</summary>
    public static void RemoveRule(NetworkNamespace? where, string name)
    {
        RuleBook book = new(where);
        ConntrackRule rule = book.Read().FirstOrDefault(rule => rule.Name == name) ?? throw new FormatException($"There is no rule {name}.");
        try
        {
            Console.WriteLine(book.Remove(rule) ? $"removed {rule}" : $"{rule} was gone already");
        }
        catch (ForeignRuleException exception)
        {
            Console.WriteLine($"{exception.Rule.Name} stays: {exception.Message}");
        }
    }
}
