using System.Diagnostics;
using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Errors;
using ConntrackPS.Formatting;
using ConntrackPS.Linux;
using ConntrackPS.Pipeline;

namespace ConntrackPS.Commands;

/// <summary>Lists the entries of the kernel's connection-tracking table, or looks up single ones.</summary>
[Cmdlet(VerbsCommon.Get, "ConntrackEntry", DefaultParameterSetName = FilterSet, SupportsShouldProcess = true)]
[OutputType(typeof(ConntrackEntry))]
public sealed class GetConntrackEntryCommand : SelectionCommand
{
    private readonly PerNamespace<EntryFinder> _finders = new(table => table.CreateFinder());
    private readonly ByNamespace<InputFilter> _filters = new();

    /// <summary>Entries to look up again: objects of this cmdlet, or objects with their properties. Or groups of
    /// Measure-ConntrackEntry or Group-Object, whose entries are listed. Or parts of a tuple, such as a source address as text or an
    /// object with only a SourceAddress: the entries that match any of them are listed at the end.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = InputSet)]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>Uses -Protocol, -SourceAddress, -SourcePort, -DestinationAddress, -DestinationPort (or the ICMP and GRE
    /// parameters) and the zone as one tuple, and looks up the entry that has it in either direction, without listing the
    /// table. The reply tuple works too: -ReplySourceAddress and so on. The entry must match the other filters
    /// too.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public SwitchParameter Exact { get; set; }

    /// <summary>The kernel's list to read: the table, entries that are already deleted but still in use (Dying), or entries whose
    /// first packet has not left the machine yet (Unconfirmed; always empty since Linux 5.19).</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public TableKind Table { get; set; }

    /// <summary>Resets the counters of the emitted entries to 0, and of no other entries.</summary>
    [Parameter]
    public SwitchParameter ResetCounter { get; set; }

    /// <summary>Shows services of /etc/services instead of destination ports, and adds SourceService and DestinationService.</summary>
    [Parameter]
    public SwitchParameter ResolveService { get; set; }

    /// <summary>The way to read the table: a dump by netlink, or a BPF program that walks the table in the kernel (Bpf), which is several
    /// times faster for a large table. Auto, the default, takes the walk from 100,000 entries on, if the kernel and the process can.</summary>
    [Parameter]
    public TableEngine Engine { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == InputSet)
            ForEachInput(InputObject, LookUpInput);
        else if (Exact)
            Run(LookUpTuple);
        else
            RunInEach(networkNamespace => List(BuildFilter(), networkNamespace), needsEntries: Table == TableKind.Main);
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        foreach ((string? networkNamespace, IReadOnlyList<InputFilter> filters) in _filters.All)
        {
            if (Stopping)
                return;
            RunOne(() => List(InputFilter.Any(filters), NamespaceNamed(networkNamespace)), networkNamespace ?? "");
        }

        TellRepeated();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _finders.Dispose();
        base.Dispose(disposing);
    }

    private protected override TableEngine AskedEngine => Engine;

    private void Emit(ConntrackEntry entry) => WriteObject(ResolveService ? ServiceView.Of(entry) : entry);

    /// <summary>Objects with a part of a tuple are collected for one listing at the end, so that no entry is emitted twice. -ResetCounter
    /// refuses them, because it needs entries that are named one by one.</summary>
    private protected override bool TakesFilter(InputFilter filter, PSObject input)
    {
        if (ResetCounter)
            return false;
        _filters.Add(NamespaceName ?? InputEntry.NamespaceOf(input), filter);
        return true;
    }

    private void LookUpInput(PSObject input)
    {
        if (InputGroup.TryRead(input) is { } group)
            Run(() => ListGroup(group), group.Source.BaseObject);
        else
            Run(() => LookUp(input), input.BaseObject);
    }

    private void ListGroup(InputGroup group)
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
                    // One by one, because WriteObject copies a collection before it writes the first element.
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
            () => $"{Counted.Entries(count)} listed. Others may be missing.");
        ReportRepeats(stream.Repeats);
        ReportEngine(table.EngineNote);
        WriteVerbose($"{Counted.Entries(count)} in {Stopwatch.GetElapsedTime(started).TotalMilliseconds:0} ms.");
    }

    private void LookUp(PSObject input)
    {
        if (ReadKey(input) is { } key)
            LookUp(key, NamespaceName ?? InputEntry.NamespaceOf(input), finder => finder.Find(key));
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

    /// <summary>Resets by a request for this entry alone. A dump that resets would also reset entries that older kernels do not filter.</summary>
    private void Reset(ConntrackEntry entry)
    {
        if (ShouldProcess(entry.ToString(), "Reset counters")
            && TryFind(entry.Namespace, finder => finder.Find(EntryKey.Of(entry), resetCounter: true), out ConntrackEntry? last)
            && last is not null)
        {
            Emit(last);
        }
    }

    /// <returns>False, after an error was written, if another entry hides this one.</returns>
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
