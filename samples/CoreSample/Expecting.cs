using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Events;
using ConntrackPS.Expectations;
using ConntrackPS.Expectations.Events;
using ConntrackPS.Helpers;
using ConntrackPS.Linux;

namespace ConntrackPS.Samples;

/// <summary>Expectations: connections that another connection announces, such as the data connections of FTP.</summary>
internal static class Expecting
{
    /// <summary>Lists the expectations.</summary>
    public static void List(NetworkNamespace? where)
    {
        foreach (ConntrackExpectation expected in new ExpectationTable(where).Read())
            Console.WriteLine($"{expected.SourceAddress} -> {expected.DestinationAddress}:{expected.DestinationPort}, {expected.TimeoutSeconds}s, helper {expected.Helper}, {expected.Flags}");
    }

    /// <summary>Lists the helpers that the kernel has, and the rules that attach them.</summary>
    public static void Helpers(NetworkNamespace? where)
    {
        HelperReader reader = new(where);
        foreach (ConntrackHelper helper in reader.Read().Where(helper => helper.State is ModuleState.BuiltIn or ModuleState.Loaded))
        {
            Console.WriteLine($"{helper.Name}: {helper.Effect}");
            foreach (HelperUse rule in helper.Rules ?? [])
                Console.WriteLine($"  {rule.Family} {rule.Table} {rule.Chain}, port {string.Join(", ", helper.Ports ?? [])}");
        }

        foreach (string problem in reader.Problems)
            Console.Error.WriteLine(problem);
    }

    /// <summary>Creates an expectation for a master connection that has the helper ftp.</summary>
    public static void Create(NetworkNamespace? where, ConntrackTuple master, ushort port)
    {
        ConntrackEntry known = new ConntrackTable(where).Find(new EntryKey(master, Zone: 0, OriginalZone: null, Id: null))
            ?? throw new FormatException($"There is no connection {master}.");
        ExpectationTemplate template = new()
        {
            Master = EntryKey.Of(known),
            Source = AddressPrefix.Of(new HostAddress(master.Family, master.Source)),
            Destination = new HostAddress(master.Family, master.Destination),
            DestinationPort = port,
            TimeoutSeconds = 300,
            Flags = ExpectationFlags.Permanent,
        };
        using ExpectationCreator creator = new ExpectationTable(where).CreateCreator();
        Console.WriteLine($"{creator.Create(template.Make())}");
    }

    /// <summary>Deletes expectations of connections to a prefix.</summary>
    public static void Delete(NetworkNamespace? where, string prefix)
    {
        ExpectationTable table = new(where);
        using ExpectationDeleter deleter = table.CreateDeleter();
        foreach (ConntrackExpectation expected in table.Read(new ExpectationFilter { DestinationAddress = [AddressPrefix.Parse(prefix)] }))
        {
            if (table.KeyOf(expected) is { } key)
                deleter.Add(key, expected);
        }

        deleter.Flush();
        Console.WriteLine($"{deleter.Deleted} deleted, {deleter.AlreadyGone} were gone already, {deleter.Failed} refused");
    }

    /// <summary>Shows the events of expectations for some seconds. Unless nf_conntrack_events is 1, these are only the expectations of
    /// connections opened while a listener was running.</summary>
    public static void Watch(NetworkNamespace? where, TimeSpan duration)
    {
        using ExpectationWatcher watcher = new(where, [ConntrackEventType.New, ConntrackEventType.Destroy]);
        Console.WriteLine("Watching.");
        for (DateTime end = DateTime.UtcNow + duration; DateTime.UtcNow < end;)
        {
            foreach (ConntrackExpectationEvent happened in watcher.Take(TimeSpan.FromMilliseconds(200)))
                Console.WriteLine($"{happened.EventType} {happened.DestinationAddress}:{happened.DestinationPort}");
        }
    }
}
