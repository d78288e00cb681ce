using System.Diagnostics;
using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Errors;
using ConntrackPS.Formatting;
using ConntrackPS.Linux;
using ConntrackPS.Pipeline;

namespace ConntrackPS.Commands;

/// <summary>Lists the entries of the kernel's connection-tracking table, or looks single ones up.</summary>
[Cmdlet(VerbsCommon.Get, "ConntrackEntry", DefaultParameterSetName = FilterSet, SupportsShouldProcess = true)]
[OutputType(typeof(ConntrackEntry))]
public sealed class GetConntrackEntryCommand : FilterCommand
{
    private readonly PerNamespace<EntryFinder> _finders = new(table => table.CreateFinder());

    /// <summary>Entries to look up again, each by itself: of this cmdlet, or with the properties of such. Or groups of
    /// Measure-ConntrackEntry, whose entries are listed.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = InputSet)]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>Takes -Protocol, -SourceAddress, -SourcePort, -DestinationAddress, -DestinationPort (or the ICMP and GRE
    /// parameters) and a zone for one tuple, and looks up the entry that has it, in either direction, without a listing. Or the
    /// same of the reply: -ReplySourceAddress and so on. What else is asked must hold for the entry too.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public SwitchParameter Exact { get; set; }

    /// <summary>Which of the kernel's lists to read.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public TableKind Table { get; set; }

    /// <summary>Sets the counters of the entries that are emitted to 0, and of no others.</summary>
    [Parameter]
    public SwitchParameter ResetCounter { get; set; }

    /// <summary>Shows services of /etc/services instead of destination ports, and adds SourceService and DestinationService.</summary>
    [Parameter]
    public SwitchParameter ResolveService { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == InputSet && InputGroup.TryRead(InputObject, out ConntrackGroup? group))
            Run(() => ListGroup(group), group);
        else if (ParameterSetName == InputSet)
            Run(LookUpInput, InputObject.BaseObject);
        else if (Exact)
            Run(LookUpTuple);
        else
            RunInEach(networkNamespace => List(BuildFilter(), networkNamespace), needsEntries: Table == TableKind.Main);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _finders.Dispose();
        base.Dispose(disposing);
    }

    private void Emit(ConntrackEntry entry) => WriteObject(ResolveService ? ServiceView.Of(entry) : entry);

    private void ListGroup(ConntrackGroup group)
    {
        if (ReadFilter(group) is { } filter)
            List(filter, NamespaceNamed(NamespaceName ?? group.Namespace));
    }

    private void List(ConntrackFilter filter, NetworkNamespace? networkNamespace)
    {
        long started = Stopwatch.GetTimestamp();
        long count = 0;
        ConntrackTable table = OpenTable(networkNamespace, filter);
        using EntryStream stream = table.Open(filter, Table);
        using CancellationTokenRegistration registration = Stop.Register(stream.Cancel);
        WarnIfIncomplete(
            () =>
            {
                foreach (IReadOnlyList<ConntrackEntry> batch in stream.Batches())
                {
                    // One by one: WriteObject would copy a collection before it writes the first.
                    for (int i = 0; i < batch.Count; i++)
                    {
                        if (ResetCounter)
                            Reset(batch[i]);
                        else
                            Emit(batch[i]);
                    }

                    count += batch.Count;
                }
            },
            () => $"{count} entries were listed, and others may be missing.");
        ReportRepeats(stream.Repeats);
        WriteVerbose($"{count} entries in {Stopwatch.GetElapsedTime(started).TotalMilliseconds:0} ms.");
    }

    private void LookUpInput()
    {
        if (ReadKey(InputObject) is { } key)
            LookUp(key, NamespaceName ?? InputEntry.NamespaceOf(InputObject), finder => finder.Find(key));
    }

    private void LookUpTuple()
    {
        try
        {
            ConntrackFilter filter = BuildFilter(), rest = ExactTuple.Rest(filter);
            EntryKey key = ExactTuple.Of(filter);
            LookUp(key, NamespaceName, finder => finder.FindEitherWay(key) is { } found && rest.Matches(found) ? found : null);
        }
        catch (FormatException exception)
        {
            ThrowTerminatingError(ErrorFactory.InexactTuple(exception));
        }
    }

    private void LookUp(in EntryKey key, string? networkNamespace, Func<EntryFinder, ConntrackEntry?> find)
    {
        if (!TryFind(networkNamespace, find, out ConntrackEntry? entry))
            return;
        if (entry is null)
            WriteError(ErrorFactory.NoSuchEntry(key));
        else if (ResetCounter)
            Reset(entry);
        else
            Emit(entry);
    }

    /// <summary>By a request for this entry only: a dump that resets would reset what other kernels don't filter.</summary>
    private void Reset(ConntrackEntry entry)
    {
        if (ShouldProcess(entry.ToString(), "Reset counters")
            && TryFind(entry.Namespace, finder => finder.Find(EntryKey.Of(entry), resetCounter: true), out ConntrackEntry? last)
            && last is not null)
        {
            Emit(last);
        }
    }

    /// <returns>False where another entry stands in the way, which is reported, and the others go on.</returns>
    private bool TryFind(string? networkNamespace, Func<EntryFinder, ConntrackEntry?> find, out ConntrackEntry? entry)
    {
        try
        {
            entry = find(_finders.In(networkNamespace));
            return true;
        }
        catch (HiddenEntryException exception)
        {
            WriteError(ErrorFactory.From(exception, InputObject));
            entry = null;
            return false;
        }
    }
}
