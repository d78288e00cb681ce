using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Top.Control;
using ConntrackPS.Top.Snapshots;

namespace ConntrackPS.Top.Drawing;

/// <summary>The lines above the rows: what is looked at, sums, and the filter.</summary>
internal static class Banner
{
    public static void Draw(LineBuilder lines, TopSnapshot snapshot, TopView view)
    {
        DrawTitle(lines, snapshot, view);
        if (view.ShowsTotals)
            lines.Add(new TopSpan(Totals(snapshot)));
        if (view.Filter.IsActive)
            lines.Add(new TopSpan("Filter: ", TopStyle.Title), new TopSpan(TextWidth.Harmless(view.Filter.Combined.ToString())));
    }

    private static void DrawTitle(LineBuilder lines, TopSnapshot snapshot, TopView view)
    {
        string where = view.Namespace is null ? "" : $" in {TextWidth.Harmless(view.Namespace)}";
        string when = snapshot.Time.ToString("HH:mm:ss", CultureInfo.InvariantCulture);
        string left = $"Conntrack{where}  {when}{Pace(view)}";
        string right = Fill(snapshot);
        int gap = lines.Width - TextWidth.Of(left) - right.Length;
        if (gap < 1)
            lines.Add(new TopSpan(left, TopStyle.Title));
        else
            lines.Add(new TopSpan(left + new string(' ', gap) + right, TopStyle.Title));
    }

    private static string Pace(TopView view)
    {
        if (view.IsStill)
            return "";
        return view.IsFrozen ? "  frozen" : string.Create(CultureInfo.InvariantCulture, $"  every {view.Interval.TotalSeconds:0.##} s");
    }

    private static string Fill(TopSnapshot snapshot)
    {
        if (snapshot.TableMaximum == 0)
            return $"{Amount.Count(snapshot.TableCount)} entries";
        double percent = 100.0 * snapshot.TableCount / snapshot.TableMaximum;
        return string.Create(
            CultureInfo.InvariantCulture, $"{Amount.Count(snapshot.TableCount)} of {Amount.Count(snapshot.TableMaximum)} entries ({percent:0.0} %)");
    }

    private static string Totals(TopSnapshot snapshot)
    {
        TopTotals totals = snapshot.Totals;
        int icmp = totals[IPProtocol.Icmp] + totals[IPProtocol.IcmpV6];
        int other = snapshot.Entries.Count - totals[IPProtocol.Tcp] - totals[IPProtocol.Udp] - icmp;
        string rates = totals.HasCounters && snapshot.Seconds is not null
            ? $"  {Amount.Of(snapshot.PerSecond(totals.MovedBytes * 8), "bit/s")}  {Amount.Of(snapshot.PerSecond(totals.MovedPackets), "pkt/s")}"
            : "";

        // What matters most comes first: a narrow screen cuts the line.
        return $"Shown {Amount.Count(snapshot.Entries.Count)}{rates}  unreplied {Amount.Count(totals.Unreplied)}  assured {Amount.Count(totals.Assured)}"
            + $"  TCP {Amount.Count(totals[IPProtocol.Tcp])}  UDP {Amount.Count(totals[IPProtocol.Udp])}  ICMP {Amount.Count(icmp)}"
            + (other > 0 ? $"  other {Amount.Count(other)}" : "");
    }
}
