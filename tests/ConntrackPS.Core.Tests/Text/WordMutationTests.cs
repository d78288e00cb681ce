using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Reflection;
using System.Text.RegularExpressions;
using ConntrackPS.Conntrack;
using ConntrackPS.Events;
using ConntrackPS.Expectations;
using ConntrackPS.Expectations.Events;
using ConntrackPS.Text;
using ConntrackPS.Text.Reading;

namespace ConntrackPS.Tests.Text;

/// <summary>Changes one word of a line, in every way, and asks of what is read: does the text say so?</summary>
public partial class WordMutationTests
{
    private const string Before = "udp      17 170 src=10.9.9.9 dst=10.0.0.2 sport=1034 dport=53 [UNREPLIED] src=10.0.0.2 dst=10.9.9.9 sport=53 dport=1034 mark=3 use=1";
    private const string After = "tcp      6 9 ESTABLISHED src=10.9.9.8 dst=10.0.0.2 sport=1035 dport=80 src=10.0.0.2 dst=10.9.9.8 sport=80 dport=1035 [ASSURED] mark=4 use=2";
    private const int LinesOfEach = 10;
    private const int LinesOfXml = 5;
    private const int ShownFaults = 12;

    /// <summary>What is no word of a line: what something else follows from, or what no text has.</summary>
    private static readonly string[] Derived =
    [
        nameof(ConntrackEntry.TotalPackets), nameof(ConntrackEntry.TotalBytes), nameof(ConntrackEntry.StartTime), nameof(ConntrackEntry.StopTime),
        nameof(ConntrackEntry.Age), nameof(ConntrackEvent.Change), nameof(ConntrackEvent.EventTimestamp), nameof(ConntrackEvent.Duration), nameof(ConntrackEvent.Sequence),
        "Extra", "Namespace", "LineNumber", "LineCount",
    ];

    private static readonly Dictionary<Type, Property[]> Properties = new[] { typeof(ConntrackEntry), typeof(ConntrackEvent), typeof(ConntrackExpectation), typeof(ConntrackExpectationEvent) }
        .ToDictionary(type => type, PropertiesOf);

    public static TheoryData<string> Samples =>
    [
        "list", "extended", "extended-id", "ktimestamp", "labels-id", "proc", "save", "xml", "xml-ktimestamp-labels", "ip_conntrack-2.6",
        "events", "events-ktimestamp", "events-save", "events-xml", "expect-list", "expect-proc", "expect-events", "expect-events-timestamp", "expect-xml",
        "expect-events-xml", "reports",
    ];

    [Theory]
    [MemberData(nameof(Samples))]
    public void A_line_without_one_of_its_words_says_nothing_new(string sample) =>
        Check(sample, words => words.Select((_, at) => new Mutant(Mutation.Deleted, Without(words, at), words[at])));

    [Theory]
    [MemberData(nameof(Samples))]
    public void A_line_with_a_word_twice_says_nothing_new(string sample) =>
        Check(sample, words => words.Select((_, at) => new Mutant(Mutation.Doubled, With(words, at, words[at]), words[at])));

    [Theory]
    [MemberData(nameof(Samples))]
    public void A_line_with_a_word_in_another_place_says_nothing_new(string sample) =>
        Check(sample, words => words.SelectMany((_, from) => Enumerable.Range(0, words.Length)
            .Where(to => to != from)
            .Select(to => new Mutant(Mutation.Moved, With(Without(words, from), to, words[from]), words[from]))));

    [Theory]
    [MemberData(nameof(Samples))]
    public void A_line_with_a_word_replaced_says_what_stands_in_it(string sample) =>
        Check(sample, words => words.SelectMany((old, at) => words.Distinct().Where(word => word != old).Concat(["x%zz", "4242", ""])
            .Select(word => new Mutant(Mutation.Replaced, With(Without(words, at), at, word), word))));

    private static void Check(string sample, Func<string[], IEnumerable<Mutant>> mutate)
    {
        HashSet<string> shapes = [];
        List<string> faults = [];
        int count = 0, read = 0;
        foreach (string line in TextSamples.Lines(sample).Where(line => shapes.Add(Digits().Replace(line, "9"))).Take(sample == "reports" ? int.MaxValue : sample.Contains("xml", StringComparison.Ordinal) ? LinesOfXml : LinesOfEach))
        {
            if (Words(line).Length < 5 || Read([line]) is not [ConntrackTextRecord { Value: ConntrackEntry or ConntrackExpectation } original])
                continue;
            foreach (Mutant mutant in mutate(Words(line)))
            {
                count++;
                CheckOne(original.Value, line, mutant, faults, ref read);
            }
        }

        Assert.True(faults.Count == 0, $"{faults.Count} faults, such as:\n" + string.Join('\n', faults.DistinctBy(fault => fault[..fault.IndexOf(':', StringComparison.Ordinal)]).Concat(faults).Distinct().Take(ShownFaults)));

        // Every word of -o save is needed, or belongs to its neighbour.
        Assert.True(read > 0 || count == 0 || sample.EndsWith("save", StringComparison.Ordinal), "Nothing was read at all.");
    }

    private static void CheckOne(object original, string line, Mutant mutant, List<string> faults, ref int read)
    {
        string text = Join(mutant.Words);
        List<ConntrackTextItem> items = Read([Before, text, After]);
        Form form = original is ConntrackExpectation ? Form.Expectation : line.StartsWith("<flow", StringComparison.Ordinal) ? Form.Xml
            : line.Contains(" -s ", StringComparison.Ordinal) ? Form.Save : Form.Line;
        if (!IsNeighbour(items[0], 1, "10.9.9.9", 3) || (!text.Contains('<', StringComparison.Ordinal) && !IsNeighbour(items[^1], 3, "10.9.9.8", 4)))
            faults.Add($"{mutant.Mutation} neighbour: {text} => {string.Join(" / ", items.Select(item => item.ToString()))}");
        bool isFramed = LineBeginning.Of(line) != LineKind.Entry || line.StartsWith("[$", StringComparison.Ordinal);
        items = Read(["", text]);
        foreach (ConntrackTextItem item in items.Where(item => item.LineNumber != 2))
            faults.Add($"{mutant.Mutation} line number: {item.LineNumber} of {text}");
        if (items.OfType<ConntrackTextRecord>().Select(record => record.Value).ToArray() is not { Length: > 0 } values)
            return;
        read++;
        if (values.Length > 1)
            faults.Add($"{mutant.Mutation} two objects: {text}");
        foreach (object value in values)
        {
            if (!original.GetType().IsInstanceOfType(value) && !value.GetType().IsInstanceOfType(original))
            {
                faults.Add($"{mutant.Mutation} type: {value.GetType().Name} of {text}");
                continue;
            }

            foreach (Property property in Properties[value.GetType()])
            {
                object? now = property.Get(value);
                object? before = property.IsOf(original) ? property.Get(original) : null;
                if (now is not null && !now.Equals(before) && !MaySay(property.Name, before, now, text, mutant, form, isFramed))
                    faults.Add($"{mutant.Mutation} {property.Name}: {before ?? "null"} became {now}, '{mutant.Word}' in {text}");
            }
        }
    }

    private static bool MaySay(string property, object? before, object now, string text, Mutant mutant, Form form, bool isFramed)
    {
        // A program's name goes on to the end of the line.
        if (text.IndexOf("progname=", StringComparison.Ordinal) is >= 0 and var program)
            text = text[..program];
        switch (property)
        {
            case nameof(ConntrackEntry.Status):
                return MayHave((ConntrackStatus)before!, (ConntrackStatus)now, text, mutant, isFramed);
            case nameof(ConntrackEntry.Mark):
                // A whole line without a mark has the mark 0.
                if (now is 0u)
                    return !Regex.IsMatch(text, @"\bmark\b|-m ");
                break;
            case nameof(ConntrackEntry.Zone):
                if (now is (ushort)0)
                    return true;
                break;
            case nameof(ConntrackEntry.Labels):
                // One name may be lost, and it is among the extras then.
                return before is string labels && now.ToString()!.Split(',').All(labels.Split(',').Contains);
            case nameof(ConntrackExpectation.Flags):
                return (Convert.ToInt64(now, CultureInfo.InvariantCulture) & ~Convert.ToInt64(before, CultureInfo.InvariantCulture)) == 0;
            case nameof(ConntrackEntry.TimeoutSeconds) or nameof(ConntrackEntry.Id) when before is null && isFramed && mutant.Word == now.ToString():
                // A number of the log's stands now in a place where the line has one.
                return true;
            case nameof(ConntrackEvent.EventTime) when isFramed:
                // The log's time counts if the event has none, and one more time may be either.
                return true;
            case nameof(ConntrackEntry.TimeoutSeconds) or nameof(ConntrackEntry.Protocol) when Regex.IsMatch(text, @"unknown +\d+ ( *\d+ )? *src="):
                // Nothing but the place tells the number of an unknown protocol from its timeout.
                return true;
            case nameof(ConntrackEntry.ReplyIcmpType) when form == Form.Save:
                // What the type given is answered by.
                return mutant.Mutation == Mutation.Replaced;
            case nameof(ConntrackEntry.StartTimestamp) when Regex.IsMatch(text, "delta-?time"):
                // The time of the event less the age.
                return true;
            case nameof(ConntrackEvent.EventType):
                return mutant.Mutation == Mutation.Replaced || before is null;
        }

        if (mutant.Mutation != Mutation.Replaced)
            return false;
        return Says(property, now, text, form);
    }

    /// <summary>True if the text has the value under the name that it has for the property, in the property's direction.</summary>
    private static bool Says(string property, object now, string text, Form form)
    {
        string value = Convert.ToString(now, CultureInfo.InvariantCulture)!;
        string[] words = Words(LineCleaner.Clean(text));
        if (form != Form.Line)
        {
            // Options and elements have their values in many places: it is enough that the value stands there.
            return property is nameof(ConntrackEntry.AddressFamily) or nameof(ConntrackEntry.Protocol) or nameof(ConntrackEntry.State) or nameof(ConntrackEvent.EventTime)
                || words.Any(word => IsValue(Value(word), value)) || (now is uint tag && words.Contains(BinaryPrimitives.ReverseEndianness(tag).ToString(CultureInfo.InvariantCulture)));
        }

        string[] keys = words.Where(word => word.Contains('=', StringComparison.Ordinal)).ToArray();
        int reply = Array.FindIndex(keys, 1 + Array.FindIndex(keys, word => word.StartsWith("src=", StringComparison.Ordinal)), word => word.StartsWith("src=", StringComparison.Ordinal));
        (string name, bool isOfReply) = property.StartsWith("Reply", StringComparison.Ordinal) ? (property[5..], true)
            : (property.Replace("Original", "", StringComparison.Ordinal), false);
        switch (name)
        {
            case nameof(ConntrackEntry.TimeoutSeconds):
                return words.TakeWhile(word => !word.StartsWith("src=", StringComparison.Ordinal)).Contains(value);
            case nameof(ConntrackEntry.Id) when Regex.IsMatch(text, $@"\[(NEW|UPDATE)\] +{value} "):
                return true;
            case nameof(ConntrackEntry.State):
                return words.TakeWhile(word => !word.StartsWith("src=", StringComparison.Ordinal)).Contains(KernelSpelling.Of((ConntrackState)now));
            case nameof(ConntrackEntry.Protocol) or nameof(ConntrackEntry.AddressFamily) or nameof(ConntrackEvent.EventTime):
                return true;
            case nameof(ConntrackEntry.Id) or nameof(ConntrackEntry.UseCount) or nameof(ConntrackEntry.Mark) or nameof(ConntrackEntry.Zone) or "Helper" or "PortId"
                or nameof(ConntrackEntry.SecurityMark) or nameof(ConntrackEntry.SecurityContext) or "StartTimestamp" or "StopTimestamp":
                reply = -1;
                break;
        }

        string key = name switch
        {
            nameof(ConntrackEntry.SourceAddress) => "src",
            nameof(ConntrackEntry.DestinationAddress) => "dst",
            nameof(ConntrackEntry.SourcePort) => "sport",
            nameof(ConntrackEntry.DestinationPort) => "dport",
            nameof(ConntrackEntry.IcmpType) => "type",
            nameof(ConntrackEntry.IcmpCode) => "code",
            nameof(ConntrackEntry.IcmpId) => "id",
            "GreSourceKey" => "srckey",
            "GreDestinationKey" => "dstkey",
            nameof(ConntrackEntry.UseCount) => "use",
            nameof(ConntrackEntry.SecurityMark) => "secmark",
            nameof(ConntrackEntry.SecurityContext) => "secctx",
            nameof(ConntrackEntry.OriginalZone) when property.Contains("Zone", StringComparison.Ordinal) && property != "Zone" => isOfReply ? "zone-reply" : "zone-orig",
            _ => name.ToLowerInvariant(),
        };
        string[] given = [.. (reply < 0 ? keys : isOfReply ? keys[reply..] : keys[..reply]).Where(word => word.StartsWith(key + "=", StringComparison.Ordinal)).Select(word => word[(key.Length + 1)..])];
        // Two values are none; ICMP's id and the entry's own have one name.
        return key == "id" ? given.Any(word => IsValue(word, value)) : given.Length > 0 && given.All(word => IsValue(word, value));
    }

    private static string Value(string word) => word[(word.LastIndexOfAny(['=', '>']) + 1)..].Trim('"');

    private static bool IsValue(string word, string value) => word == value
        || (IPAddress.TryParse(word.Trim('[', ']'), out IPAddress? address) && address.ToString() == value)
        || (word.StartsWith("0x", StringComparison.Ordinal) && ulong.TryParse(word.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out ulong number) && number.ToString(CultureInfo.InvariantCulture) == value);

    private static bool MayHave(ConntrackStatus before, ConntrackStatus now, string text, Mutant mutant, bool isFramed)
    {
        const ConntrackStatus Nat = ConntrackStatus.SrcNat | ConntrackStatus.SrcNatDone | ConntrackStatus.DstNat | ConntrackStatus.DstNatDone;
        ConntrackStatus more = now & ~before;

        // An entry is in the table unless a kernel of 2.4 says otherwise.
        if (!text.Contains("[UNCONFIRMED]", StringComparison.Ordinal))
            more &= ~ConntrackStatus.Confirmed;

        // A total of conntrack ends the line, and what stands behind its name is no part of the entry.
        if (text.IndexOf("conntrack v", StringComparison.Ordinal) is > 0 and var total && text.IndexOf("[UNREPLIED]", StringComparison.Ordinal) > total)
            more &= ~ConntrackStatus.SeenReply;
        if (mutant.Mutation == Mutation.Replaced)
            more &= ~(Nat | (text.Contains("ASSURED", StringComparison.OrdinalIgnoreCase) ? ConntrackStatus.Assured : 0)
                | (text.Contains("OFFLOAD", StringComparison.Ordinal) ? ConntrackStatus.Offload | ConntrackStatus.HwOffload : 0)
                | (text.Contains("DESTROY", StringComparison.OrdinalIgnoreCase) || text.Contains("-D", StringComparison.Ordinal) ? ConntrackStatus.Dying | ConntrackStatus.Confirmed : 0));

        // Behind the quotation mark or the tag that ends the line, the word is a remark.
        if (!text.Contains("UNREPLIED", StringComparison.OrdinalIgnoreCase) || (isFramed && mutant.Words[^1] != "use=1"))
            more &= ~ConntrackStatus.SeenReply;
        if (text.IndexOf("</flow>", StringComparison.Ordinal) is > 0 and var end && text.IndexOf("<unreplied/>", StringComparison.Ordinal) > end)
            more &= ~ConntrackStatus.SeenReply;
        return more == ConntrackStatus.None;
    }

    private static bool IsNeighbour(ConntrackTextItem item, long number, string source, uint mark) =>
        item is ConntrackTextRecord { LineCount: 1, Entry: { } entry } && item.LineNumber == number
        && (entry.SourceAddress, entry.Mark, entry.Id, entry.OriginalPackets, entry.Extra is null) == (source, mark, null, null, true)
        && entry.ReplyDestinationAddress == source;

    private static List<ConntrackTextItem> Read(string[] lines)
    {
        ConntrackTextReader reader = new(new ConntrackTextOptions { Labels = TextSamples.Labels, AllowMasked = true });
        List<ConntrackTextItem> items = [];
        foreach (string line in lines)
            reader.Add(line);
        reader.Complete();
        while (reader.TryTake(out ConntrackTextItem? item))
            items.Add(item);
        return items;
    }

    /// <summary>Words, and words in brackets; of XML also its tags.</summary>
    private static string[] Words(string line) => [.. (line.Contains('<', StringComparison.Ordinal) ? XmlWord() : Word()).Matches(line).Select(match => match.Value)];

    private static string Join(string[] words) =>
        words.Length == 0 ? "" : words.Skip(1).Aggregate(words[0], (text, word) => text + (word.StartsWith('<') && text.Length > 0 && text[0] == '<' ? "" : " ") + word);

    private static string[] Without(string[] words, int at) => [.. words[..at], .. words[(at + 1)..]];

    private static string[] With(string[] words, int at, string word) => [.. words[..at], word, .. words[at..]];

    private static Property[] PropertiesOf(Type type) =>
        [.. type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(property => property.GetIndexParameters().Length == 0 && !Derived.Contains(property.Name)
                && (property.PropertyType.IsValueType || property.PropertyType == typeof(string)))
            .Select(property => new Property(property.Name, property.GetValue, property.DeclaringType!))];

    [GeneratedRegex(@"\d+")]
    private static partial Regex Digits();

    [GeneratedRegex(@"\[[^\[\]]*\]|\S+")]
    private static partial Regex Word();

    [GeneratedRegex(@"</?[^<>\s]*>?[^<>\s]*|[^<>\s]+>?[^<>\s]*")]
    private static partial Regex XmlWord();

    private enum Form
    {
        Line,
        Save,
        Xml,
        Expectation,
    }

    private enum Mutation
    {
        Deleted,
        Doubled,
        Moved,
        Replaced,
    }

    private sealed record Mutant(Mutation Mutation, string[] Words, string Word);

    private sealed record Property(string Name, Func<object, object?> Get, Type Owner)
    {
        public bool IsOf(object value) => Owner.IsInstanceOfType(value);
    }
}
