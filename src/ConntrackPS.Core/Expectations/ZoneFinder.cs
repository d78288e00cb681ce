using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Netlink;

namespace ConntrackPS.Expectations;

/// <summary>Finds out the zones of listed expectations, which the kernel doesn't tell: an expectation is in the zone in
/// which the kernel finds it.</summary>
internal sealed class ZoneFinder(ExpectationFinder finder, ConntrackTable table)
{
    /// <summary>Connections that got their helper by a rule or by netlink have the status Helper; those that an
    /// expectation gave theirs have not.</summary>
    private static readonly ConntrackFilter[] WhereMastersAre = [new() { Status = ConntrackStatus.Helper }, new()];

    /// <summary>Sets the zone of each expectation; one that is gone meanwhile keeps none.</summary>
    /// <exception cref="IncompleteListingException">One has none, but its master may have been missed.</exception>
    public void Assign(IReadOnlyCollection<ConntrackExpectation> expectations)
    {
        IncompleteListingException? incomplete = null;
        foreach (ConntrackExpectation expectation in expectations)
            Try(expectation, 0);
        foreach (ConntrackFilter filter in WhereMastersAre)
        {
            ConntrackExpectation[] open = [.. expectations.Where(expectation => expectation.Zone is null)];
            if (open.Length == 0)
                return;
            incomplete = AssignByMaster(open.ToLookup(expectation => expectation.Master), filter);
        }

        // Only the last of the filters lets all masters through. What is without a zone counts as gone.
        if (incomplete is not null && expectations.Any(expectation => expectation.Zone is null))
            throw incomplete;
    }

    /// <returns>What is to be thrown where a master may have been missed.</returns>
    private IncompleteListingException? AssignByMaster(ILookup<ConntrackTuple, ConntrackExpectation> byMaster, ConntrackFilter filter)
    {
        try
        {
            foreach (ConntrackEntry master in table.Read(filter))
            {
                ushort zone = master.OriginalZone ?? master.ReplyZone ?? master.Zone;
                foreach (ConntrackExpectation expectation in zone == 0 ? [] : byMaster[master.Original])
                    Try(expectation, zone);
            }

            return null;
        }
        catch (IncompleteListingException exception)
        {
            return exception;
        }
    }

    private void Try(ConntrackExpectation expectation, ushort zone)
    {
        if (expectation.Zone is null && finder.Find(expectation.Expected, zone)?.Id == expectation.Id)
            expectation.Zone = zone;
    }
}
