using System.Globalization;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Diagnosis;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Diagnosis.History;
using ConntrackPS.Linux;

namespace ConntrackPS.Samples;

/// <summary>Statistics, groups and health.</summary>
internal static class Measuring
{
    /// <summary>Shows how full the table is, and the drops since boot. It needs no privilege.</summary>
    public static void Stat(NetworkNamespace? where)
    {
        ConntrackStat stat = ConntrackStat.Read(where);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{stat.Count} entries of {stat.Maximum} ({stat.FillPercent} %), {stat.Drop} dropped, {stat.InsertFailed} not inserted"));
    }

    /// <summary>Shows the counters of each processor.</summary>
    public static void PerCpu(NetworkNamespace? where)
    {
        foreach (ConntrackCpuStat stat in ConntrackCpuStat.Read(where))
            Console.WriteLine($"CPU {stat.Cpu}: {stat.Invalid} invalid, {stat.EarlyDrop} dropped early");
    }

    /// <summary>Counts connections by any properties, such as SourceAddress or State, and shows the ten largest groups.</summary>
    public static void Group(NetworkNamespace? where, IEnumerable<string> names)
    {
        List<GroupProperty> properties = [];
        foreach (string name in names)
        {
            properties.Add(GroupProperties.TryFind(name, out GroupProperty? property)
                ? property
                : throw new FormatException($"There is no property '{name}' to group by; there is {string.Join(", ", GroupProperties.All)}."));
        }

        GroupMeasurement measurement = new(new GroupOptions { GroupBy = properties, Top = 10 });

        // A large table is walked in the kernel, several times faster than by netlink, if the kernel and this process can.
        ConntrackTable table = new(where) { Engine = TableEngine.Auto };
        measurement.Read(table);
        foreach (ConntrackGroup group in measurement.Groups())
            Console.WriteLine($"{group.Count} {group.Name}");
        if (table.EngineNote is { } note)
            Console.Error.WriteLine(note);
    }

    /// <summary>Shows the sources with the most traffic, from two readings of the table. It needs nf_conntrack_acct.</summary>
    public static void Rate(NetworkNamespace? where, TimeSpan interval)
    {
        _ = GroupProperties.TryFind("SourceAddress", out GroupProperty? source);
        GroupMeasurement measurement = new(new GroupOptions { GroupBy = [source!], SortBy = GroupOrder.BitsPerSecond, Top = 10 });
        measurement.ReadTwice(new ConntrackTable(where), interval);
        foreach (ConntrackGroup group in measurement.Groups())
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{group.BitsPerSecond} bit/s {group.Name}"));
    }

    /// <summary>Records the present values in a history, and shows all that it has.</summary>
    public static void History(NetworkNamespace? where, string file)
    {
        ConntrackHistory.Append(file, ConntrackStat.Read(where));
        foreach (ConntrackHistoryRecord record in ConntrackHistory.Read(file))
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{record.Sequence}: {record.Count} of {record.Maximum} entries, {record.DropPerSecond ?? 0} drops/s"));
    }

    /// <summary>Checks for problems and shows the worst first.</summary>
    public static void Health(NetworkNamespace? where)
    {
        foreach (HealthFinding finding in new HealthCheck(where, sample: TimeSpan.FromSeconds(1)).Run())
        {
            Console.WriteLine($"{finding.Severity} {finding.Name}: {finding.Evidence}");
            if (finding.Severity >= FindingSeverity.Warning)
                Console.WriteLine($"    {finding.Explanation}");
        }
    }
}
