using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Top.Control;
using ConntrackPS.Top.Drawing;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Bench.Watching;

/// <summary>One refresh of a running live view: reads the table, calculates rates, and draws a screen.</summary>
internal static class Refresh
{
    private const int Width = 120, Height = 50;

    private static readonly ConntrackFilter Everything = new();
    private static readonly TopView View = new();
    private static SnapshotReader? reader;
    private static TopSnapshot? shown;
    private static TopSnapshot? spare;

    /// <returns>The entries of the snapshot.</returns>
    public static long Run(NetworkNamespace networkNamespace)
    {
        reader ??= new SnapshotReader(new ConntrackTable(networkNamespace));
        TopSnapshot snapshot = reader.Read(Everything, spare, CancellationToken.None);
        (spare, shown) = (shown, snapshot);
        _ = AnsiRenderer.Render(TopScreen.Draw(snapshot, View, Width, Height), colour: true);
        return snapshot.Entries.Count;
    }
}
