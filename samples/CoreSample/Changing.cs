using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;

namespace ConntrackPS.Samples;

/// <summary>Creates, changes and deletes entries.</summary>
internal static class Changing
{
    /// <summary>Deletes the entries that match a filter, in the fastest safe way.</summary>
    public static void Delete(NetworkNamespace? where, string prefix)
    {
        ConntrackFilter filter = new() { SourceAddress = [AddressPrefix.Parse(prefix)] };
        if (!filter.NamesEntries)
            throw new FormatException($"{prefix} is every address.");
        DeleteSummary summary = new ConntrackTable(where).Delete(
            filter,
            onFailure: refused => Console.Error.WriteLine($"{refused.Entry}: {refused.Failure!.Message}"));
        Console.WriteLine($"{summary.Deleted} deleted, {summary.AlreadyGone} were gone already, {summary.Failed} refused");
    }

    /// <summary>Deletes entries that the program selects: half-open connections.</summary>
    public static void DeleteEach(NetworkNamespace? where, string prefix)
    {
        ConntrackTable table = new(where);
        using EntryDeleter deleter = table.CreateDeleter();
        foreach (ConntrackEntry entry in table.Read(new ConntrackFilter { SourceAddress = [AddressPrefix.Parse(prefix)] }))
        {
            // The key has the kernel's id, so a newer entry with the same tuple is not deleted.
            if (entry.State is ConntrackState.SynSent or ConntrackState.SynRecv)
                deleter.Add(EntryKey.Of(entry), entry);
        }

        deleter.Flush();
        Console.WriteLine($"{deleter.Deleted} deleted, {deleter.AlreadyGone} were gone already, {deleter.Failed} refused");
    }

    /// <summary>Empties the table, or deletes the entries of one address family.</summary>
    public static void Clear(NetworkNamespace? where, string? family) => new ConntrackTable(where).Clear(family switch
    {
        null => IPFamily.Unspecified,
        "ipv4" => IPFamily.IPv4,
        "ipv6" => IPFamily.IPv6,
        _ => throw new FormatException($"'{family}' is no address family."),
    });

    /// <summary>Creates an entry whose replies go to another port, as if it had been translated.</summary>
    public static void Create(NetworkNamespace? where, ConntrackTuple original)
    {
        EntryTemplate template = new()
        {
            TimeoutSeconds = 600,
            State = ConntrackStates.Of(original.Protocol).Contains(ConntrackState.Established) ? ConntrackState.Established : null,
            Status = ConntrackStatus.Assured | ConntrackStatus.SeenReply,
            Mark = new MaskedMark(7),
        };
        ConntrackEntry entry = template.Create(new EntryTuples { Original = original, TranslatedSourcePort = 40000 });
        using EntryCreator creator = new ConntrackTable(where).CreateCreator();
        creator.Add(entry, tag: entry);
        creator.Flush();
        foreach (EntryResult result in creator.TakeResults())
            Console.WriteLine($"{result.Entry}: {(result.Failure!.Errno == Errno.Exists ? "It exists already." : result.Failure.Message)}");
        Console.WriteLine($"{creator.Created} created");
    }

    /// <summary>Marks the connections from a prefix. With a mask, the other bits of the marks are kept.</summary>
    public static void Mark(NetworkNamespace? where, string prefix, string mark) =>
        Change(where, prefix, new EntryChange { Mark = MaskedMark.Parse(mark) });

    /// <summary>Gives the connections from a prefix a label, by its name in connlabel.conf or its number.</summary>
    public static void Label(NetworkNamespace? where, string prefix, string label)
    {
        if (!LabelNames.System.TryGetBit(label, out int bit))
            throw new FormatException($"There is no label '{label}'; connlabel.conf has {string.Join(", ", LabelNames.System.Names)}.");
        Change(where, prefix, new EntryChange { AddLabel = [bit] });
    }

    private static void Change(NetworkNamespace? where, string prefix, EntryChange change)
    {
        ConntrackTable table = new(where);
        using EntryUpdater updater = table.CreateUpdater();
        foreach (ConntrackEntry entry in table.Read(new ConntrackFilter { SourceAddress = [AddressPrefix.Parse(prefix)] }))
            updater.Add(EntryKey.Of(entry), change, entry);
        updater.Flush();
        foreach (EntryResult refused in updater.TakeResults())
            Console.WriteLine($"{refused.Entry}: {refused.Failure!.Message}");
        Console.WriteLine($"{updater.Changed} changed, {updater.AlreadyGone} were gone already");
    }
}
