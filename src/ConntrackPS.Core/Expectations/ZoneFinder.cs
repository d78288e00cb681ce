using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;

namespace ConntrackPS.Expectations;

/// <summary>Finds out the zones of listed expectations, which the kernel doesn't tell: an expectation is in the zone in
/// which the kernel finds it.</summary>
internal sealed class ZoneFinder(ExpectationFinder finder, NetworkNamespace? networkNamespace)
{
    /// <summary>Connections that got their helper by a rule or by netlink have the status Helper; those that an
    /// expectation gave theirs have not.</summary>
    private static readonly ConntrackFilter[] WhereMastersAre = [new() { Status = ConntrackStatus.Helper }, new()];

    /// <summary>Sets the zone of each expectation; one that is gone meanwhile keeps none.</summary>
    public void Assign(IReadOnlyCollection<ConntrackExpectation> expectations)
    {
        foreach (ConntrackExpectation expectation in expectations)
            Try(expectation, 0);
        foreach (ConntrackFilter filter in WhereMastersAre)
        {
            ConntrackExpectation[] open = [.. expectations.Where(expectation => expectation.Zone is null)];
            if (open.Length > 0)
                AssignByMaster(open.ToLookup(expectation => expectation.Master), filter);
        }
    }

    private void AssignByMaster(ILookup<ConntrackTuple, ConntrackExpectation> byMaster, ConntrackFilter filter)
    {
        foreach (ConntrackEntry master in new ConntrackTable(networkNamespace).Read(filter))
        {
            ushort zone = master.OriginalZone ?? master.ReplyZone ?? master.Zone;
            foreach (ConntrackExpectation expectation in zone == 0 ? [] : byMaster[master.Original])
                Try(expectation, zone);
        }
    }

    private void Try(ConntrackExpectation expectation, ushort zone)
    {
        if (expectation.Zone is null && finder.Find(expectation.Expected, zone)?.Id == expectation.Id)
            expectation.Zone = zone;
    }
}
