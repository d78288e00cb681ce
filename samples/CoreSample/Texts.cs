using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Text;

namespace ConntrackPS.Samples;

/// <summary>Entries as text, in the forms that the kernel and conntrack print.</summary>
internal static class Texts
{
    /// <summary>Writes the table as <c>conntrack -L -o extended,id</c> does.</summary>
    public static void Save(NetworkNamespace? where)
    {
        ConntrackTextWriter writer = new(ConntrackTextFormat.Extended) { Details = ConntrackTextDetails.Id };
        foreach (ConntrackEntry entry in new ConntrackTable(where).Read())
            Console.WriteLine(writer.Write(entry));
    }

    /// <summary>Reads text in any of these forms, also events. A line in another form is reported, and the next line follows.</summary>
    public static void Read(TextReader text)
    {
        foreach (ConntrackTextItem item in new ConntrackTextReader().Read(text))
        {
            Console.WriteLine(item switch
            {
                ConntrackTextRecord record => record.Value.ToString(),
                ConntrackTextProblem problem => $"Line {problem.LineNumber}: {problem.Expected} was expected, not '{problem.Found}'",
                _ => "",
            });
        }
    }

    /// <summary>Creates the entries of a text, with a timeout of ten minutes.</summary>
    public static void Restore(NetworkNamespace? where, TextReader text)
    {
        EntryTemplate template = new() { TimeoutSeconds = 600 };
        ConntrackTextOptions options = new() { Source = ConntrackTextSource.Conntrack };
        using EntryCreator creator = new ConntrackTable(where).CreateCreator();
        foreach (ConntrackTextRecord record in new ConntrackTextReader(options).Read(text).OfType<ConntrackTextRecord>())
            creator.Add(template.Copy(record.Entry!), tag: record.LineNumber);
        creator.Flush();
        foreach (EntryResult refused in creator.TakeResults())
            Console.WriteLine($"Line {refused.Entry}: {refused.Failure!.Message}");
        Console.WriteLine($"{creator.Created} created");
    }
}
