using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>The output of conntrack(8) for a namespace's table. Without -f it lists both address families.</summary>
internal static class ConntrackTool
{
    private const int Sctp = 132;

    /// <summary><c>conntrack -L -o xml,id</c>, which shows everything except ICMP numbers and SCTP states.</summary>
    public static List<FlowRecord> ListXml(NetworkNamespaceFixture ns, params string[] arguments)
    {
        string xml = ns.Exec("conntrack", ["-L", "-o", "xml,id", .. arguments]);
        return xml.Length == 0 ? [] : [.. XDocument.Parse(xml).Root!.Elements("flow").Select(ParseFlow)];
    }

    /// <summary><c>conntrack -L -o extended,id,labels</c>, with labels by our names.</summary>
    /// <remarks>The tool shows no labels without a connlabel.conf, which requires a private /etc.</remarks>
    public static List<FlowRecord> ListText(NetworkNamespaceFixture ns)
    {
        string names = string.Join('\n', Enumerable.Range(0, 128).Select(bit => $"{bit} {LabelNames.System.ToName(bit)}"));
        string text = ns.Exec(
            "unshare", "--mount", "sh", "-c",
            "mount -t tmpfs none /etc && mkdir /etc/xtables && echo \"$0\" > /etc/xtables/connlabel.conf && exec conntrack -L -o extended,id,labels",
            names);
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(FlowLine.Parse)];
    }

    /// <summary>The output of <c>conntrack -E -o xml,id,timestamp,ktimestamp</c>: each event with its type, its time in seconds, and the
    /// connection's start and stop in nanoseconds.</summary>
    public static List<EventRecord> ParseEvents(string xml) =>
        [.. XDocument.Parse(xml.Contains("</conntrack>") ? xml : xml + "</conntrack>").Root!.Elements("flow").Select(ParseEvent)];

    private static EventRecord ParseEvent(XElement flow)
    {
        XElement when = flow.Element("when")!;
        int At(string name) => (int)when.Element(name)!;
        XElement? times = flow.Elements("meta").Last().Element("timestamp");
        return new EventRecord(
            flow.Attribute("type")!.Value,
            new DateTime(At("year"), At("month"), At("day"), At("hour"), At("min"), At("sec"), DateTimeKind.Local),
            (ulong?)times?.Element("start"), (ulong?)times?.Element("stop"), PortId((flow.NextNode as XText)?.Value ?? ""), ParseFlow(flow));
    }

    /// <summary>The text after an event: [USERSPACE] portid=1234 progname=conntrack.</summary>
    private static uint? PortId(string text) =>
        Regex.Match(text, @"portid=(\d+)") is { Success: true } match ? uint.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) : null;

    private static FlowRecord ParseFlow(XElement flow)
    {
        XElement[] metas = [.. flow.Elements("meta")];
        XElement whole = metas[2];
        return new FlowRecord(Layer(metas[0], "layer3"), Layer(metas[0], "layer4"), ParseDirection(metas[0]), ParseDirection(metas[1]))
        {
            // SCTP states have TCP names here: CLOSE_WAIT for SHUTDOWN_SENT. The text form is correct.
            State = Layer(metas[0], "layer4") == Sctp ? null : whole.Element("state")?.Value,
            Timeout = (long?)whole.Element("timeout"),
            Mark = (uint?)whole.Element("mark"),
            Zone = Number<ushort>(whole, "zone") ?? 0,
            Use = (uint?)whole.Element("use"),
            Id = (uint?)whole.Element("id"),
            IsUnreplied = whole.Element("unreplied") is not null,
            IsAssured = whole.Element("assured") is not null,
            Helper = flow.Element("helper")?.Value,
            Age = (long?)whole.Element("deltatime"),
        };
    }

    private static FlowDirection ParseDirection(XElement meta)
    {
        XElement layer3 = meta.Element("layer3")!, layer4 = meta.Element("layer4")!;
        return new FlowDirection(Address(layer3, "src"), Address(layer3, "dst"))
        {
            SourcePort = Number<ushort>(layer4, "sport"),
            DestinationPort = Number<ushort>(layer4, "dport"),
            SourceKey = Number<ushort>(layer4, "srckey"),
            DestinationKey = Number<ushort>(layer4, "dstkey"),
            Zone = Number<ushort>(meta, "zone"),
            Packets = (ulong?)meta.Element("counters")?.Element("packets"),
            Bytes = (ulong?)meta.Element("counters")?.Element("bytes"),
        };
    }

    private static int Layer(XElement meta, string name) => (int)meta.Element(name)!.Attribute("protonum")!;

    private static string Address(XElement layer3, string name) => IPAddress.Parse(layer3.Element(name)!.Value).ToString();

    private static T? Number<T>(XElement parent, string name)
        where T : struct, System.Numerics.INumber<T>
    {
        if (parent.Element(name)?.Value is not { } text)
            return null;
        return text.StartsWith("0x", StringComparison.Ordinal)
            ? T.Parse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)
            : T.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
    }
}
