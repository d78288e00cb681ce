using System.Globalization;
using System.Runtime.CompilerServices;
using ConntrackPS.Conntrack;
using ConntrackPS.Text;

namespace ConntrackPS.Tests.Text;

/// <summary>What kernel 6.18 and conntrack 1.4.7 printed of real tables; each file says in its first line when.</summary>
internal static class TextSamples
{
    private const string Captured = "# captured ";

    public static readonly LabelNames Labels = LabelNames.Parse(["1 eth0-in", "2 eth0-out", "127 last"]);

    public static string[] Lines(string name) => [.. File.ReadLines(PathOf(name)).Where(line => !line.StartsWith('#'))];

    /// <summary>When the sample was taken, in the zone of the machine that took it.</summary>
    public static DateTime TimeOf(string name) => DateTime.ParseExact(
        File.ReadLines(PathOf(name)).First()[Captured.Length..], "yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    public static List<ConntrackTextItem> Read(IEnumerable<string> lines, DateTime? capturedAt = null, bool isLive = false)
    {
        ConntrackTextReader reader = new(new ConntrackTextOptions { Labels = Labels, CapturedAt = capturedAt, IsLive = isLive });
        List<ConntrackTextItem> items = [];
        foreach (string line in lines)
        {
            reader.Add(line);
            while (reader.TryTake(out ConntrackTextItem? item))
                items.Add(item);
        }

        reader.Complete();
        while (reader.TryTake(out ConntrackTextItem? item))
            items.Add(item);
        return items;
    }

    public static ConntrackTextRecord ReadOne(params string[] lines) => Assert.IsType<ConntrackTextRecord>(Assert.Single(Read(lines)));

    public static ConntrackTextProblem ReadProblem(params string[] lines) => Assert.IsType<ConntrackTextProblem>(Assert.Single(Read(lines)));

    public static ConntrackEntry ReadEntry(params string[] lines) => ReadOne(lines).Entry!;

    private static string PathOf(string name, [CallerFilePath] string self = "") =>
        Path.Combine(Path.GetDirectoryName(self)!, "Samples", name + ".txt");
}
