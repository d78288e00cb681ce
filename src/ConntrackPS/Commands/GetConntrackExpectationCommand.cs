using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Errors;
using ConntrackPS.Expectations;
using ConntrackPS.Pipeline;

namespace ConntrackPS.Commands;

/// <summary>Lists the connections that helpers have announced and that have not come yet.</summary>
[Cmdlet(VerbsCommon.Get, "ConntrackExpectation", DefaultParameterSetName = FilterSet)]
[OutputType(typeof(ConntrackExpectation))]
public sealed class GetConntrackExpectationCommand : ExpectationCommand
{
    /// <summary>Entries of connections, whose expectations are meant.</summary>
    [Parameter(ValueFromPipeline = true, ParameterSetName = FilterSet)]
    [ValidateNotNull]
    public PSObject? Master { get; set; }

    /// <summary>Takes -Protocol, -SourceAddress, -SourcePort, -DestinationAddress, -DestinationPort and -Zone for a
    /// connection, and emits the expectation that it would meet.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public SwitchParameter Exact { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (Exact)
            Run(LookUp, Master?.BaseObject);
        else if (Master is not null)
            Run(ListOfMaster, Master.BaseObject);
        else
            RunInEach(networkNamespace => List(new ExpectationTable(networkNamespace), []));
    }

    private void ListOfMaster()
    {
        if (ReadMaster(Master!) is { } key)
            List(TableIn(NamespaceName ?? InputExpectation.NamespaceOf(Master!)), [key]);
    }

    private void List(ExpectationTable table, IReadOnlyList<EntryKey> masters)
    {
        IReadOnlyList<ConntrackExpectation> found = table.Read(BuildFilter(masters));
        foreach (ConntrackExpectation expectation in found)
            WriteObject(expectation);
        WriteVerbose($"{found.Count} expectations.");
    }

    private void LookUp()
    {
        try
        {
            // Helpers mostly expect any source port, which is 0 in the tuple.
            ConntrackFilter filter = TupleProperties.PortIn(TuplePlaces.OriginalSource).Set(new ConntrackFilter(), [new PortRange(0)]);
            EntryKey key = ExactTuple.Of(FilterParameters.ReadTuple(this, filter with
            {
                Protocol = Protocol ?? [],
                Zone = [.. (Zone ?? []).Select(zone => (ushort)zone)],
            }));
            using ExpectationFinder finder = TableIn(NamespaceName).CreateFinder();
            if (finder.Find(key.Original, key.Zone) is { } found)
                WriteObject(found);
            else
                WriteError(ErrorFactory.NoSuchExpectation(new ExpectationKey(key.Original, key.Zone, 0)));
        }
        catch (FormatException exception)
        {
            ThrowTerminatingError(ErrorFactory.InexactTuple(exception));
        }
    }
}
