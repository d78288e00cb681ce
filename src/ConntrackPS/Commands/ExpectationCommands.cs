using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Errors;
using ConntrackPS.Expectations;
using ConntrackPS.Pipeline;

namespace ConntrackPS.Commands;

/// <summary>The filter parameters that are the same on the cmdlets that select expectations.</summary>
public abstract class ExpectationCommand : ConntrackCommand
{
    /// <summary>The parameter set in which expectations are selected by filter.</summary>
    protected const string FilterSet = FilterParameters.Set;

    /// <summary>The source address of the expectation: addresses or prefixes.</summary>
    [Parameter(Position = 0, ParameterSetName = FilterSet)]
    [Alias("Source")]
    [AddressArgument]
    public AddressPrefix[]? SourceAddress { get; set; }

    /// <summary>The destination address of the expectation: addresses or prefixes.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [Alias("Destination")]
    [AddressArgument]
    public AddressPrefix[]? DestinationAddress { get; set; }

    /// <summary>The source port of the expectation: ports or ranges. 0 usually means any.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [Alias("SPort")]
    [PortArgument]
    [ArgumentCompleter(typeof(ServiceCompleter))]
    public PortRange[]? SourcePort { get; set; }

    /// <summary>The destination port of the expectation: ports or ranges such as 1000-2000.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [Alias("DPort")]
    [PortArgument]
    [ArgumentCompleter(typeof(ServiceCompleter))]
    public PortRange[]? DestinationPort { get; set; }

    /// <summary>Layer 4 protocols, by name or number.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [ProtocolArgument]
    public IPProtocol[]? Protocol { get; set; }

    /// <summary>The source address of the master connection: addresses or prefixes.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    public AddressPrefix[]? MasterSourceAddress { get; set; }

    /// <summary>The destination address of the master connection: addresses or prefixes.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    public AddressPrefix[]? MasterDestinationAddress { get; set; }

    /// <summary>Names of the masters' helpers, such as ftp.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [TextArgument]
    public string[]? Helper { get; set; }

    /// <summary>The masters' zones, 0 to 65535.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(ushort.MaxValue)]
    public long[]? Zone { get; set; }

    /// <summary>IPv4 or IPv6.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [FamilyArgument]
    [ValidateSet(nameof(IPFamily.IPv4), nameof(IPFamily.IPv6))]
    public IPFamily AddressFamily { get; set; }

    /// <summary>The kernel's ids of expectations, as Get-ConntrackExpectation shows them.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(uint.MaxValue)]
    public long[]? Id { get; set; }

    /// <summary>The filter of the parameters. A filter that nothing can match ends the cmdlet with an error.</summary>
    /// <param name="masters">The master connections of the expectations; empty for any.</param>
    private protected ExpectationFilter BuildFilter(IReadOnlyList<EntryKey> masters)
    {
        ExpectationFilter filter = FilterParameters.Fill(this, new ExpectationFilter { Master = masters });
        if (filter.Contradiction is { } contradiction)
            ThrowTerminatingError(ErrorFactory.Contradiction(contradiction));
        return filter;
    }

    /// <summary>The connection that an object names; null, after an error was written, if it names none.</summary>
    private protected EntryKey? ReadMaster(PSObject master, bool needsZone = false)
    {
        try
        {
            return InputExpectation.MasterOf(master, needsZone);
        }
        catch (FormatException exception)
        {
            WriteError(ErrorFactory.NotAMaster(master, exception));
            return null;
        }
    }

    private protected static ExpectationTable TableIn(string? networkNamespace) =>
        new(NamespaceNamed(networkNamespace));
}

/// <summary>Lists expectations: connections that helpers expect and that have not started yet.</summary>
[Cmdlet(VerbsCommon.Get, "ConntrackExpectation", DefaultParameterSetName = FilterSet)]
[OutputType(typeof(ConntrackExpectation))]
public sealed class GetConntrackExpectationCommand : ExpectationCommand
{
    private readonly ByNamespace<ExpectationFilter> _filters = new();

    /// <summary>Entries of master connections, or groups of them. It lists their expectations. Or what -SourceAddress and the like would
    /// ask for: an address as text, or objects with only some of these properties.</summary>
    [Parameter(ValueFromPipeline = true, ParameterSetName = FilterSet)]
    [ValidateNotNull]
    public PSObject? Master { get; set; }

    /// <summary>Uses -Protocol, -SourceAddress, -SourcePort, -DestinationAddress, -DestinationPort and -Zone as one
    /// connection, and emits the expectation that it would match.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    public SwitchParameter Exact { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (Exact)
            Run(LookUp, Master?.BaseObject);
        else if (Master is not null)
            ForEachInput(Master, input => Run(() => Select(input), input.BaseObject));
        else
            RunInEach(networkNamespace => List(new ExpectationTable(networkNamespace), []));
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        foreach ((string? networkNamespace, IReadOnlyList<ExpectationFilter> filters) in _filters.All)
            RunOne(() => List(TableIn(networkNamespace), [], filters), networkNamespace ?? "");
        TellRepeated();
    }

    /// <summary>A master's expectations come at once; what filters select is one listing in the end, so that none comes twice.</summary>
    private void Select(PSObject input)
    {
        string? networkNamespace = NamespaceName ?? InputExpectation.NamespaceOf(input);
        try
        {
            if (InputGroup.TryRead(input) is { } group)
            {
                EntryKey[] masters = [.. new ConntrackTable(NamespaceNamed(networkNamespace)).Read(group.ToFilter()).Select(EntryKey.Of)];
                if (masters.Length > 0)
                    _filters.Add(networkNamespace, new ExpectationFilter { Master = masters });
            }
            else
            {
                List(TableIn(networkNamespace), [InputExpectation.MasterOf(input)]);
            }
        }
        catch (FormatException exception)
        {
            if (InputExpectation.FilterOf(input) is { } filter)
                _filters.Add(networkNamespace, filter);
            else
                WriteInputError(ErrorFactory.NotAMaster(input, exception), ErrorFactory.Describe(exception));
        }
    }

    /// <param name="table">The table.</param>
    /// <param name="masters">The connections that announced the expectations; empty for all.</param>
    /// <param name="filters">Further filters, of which any may match; null if there are none.</param>
    private void List(ExpectationTable table, IReadOnlyList<EntryKey> masters, IReadOnlyList<ExpectationFilter>? filters = null)
    {
        ConntrackExpectation[] found =
            [.. table.Read(BuildFilter(masters)).Where(expectation => filters is null || filters.Any(filter => filter.Matches(expectation)))];
        foreach (ConntrackExpectation expectation in found)
            WriteObject(expectation);
        WriteVerbose($"{Counted.Expectations(found.Length)}.");
    }

    private void LookUp()
    {
        try
        {
            // Most helpers expect any source port. The tuple then has port 0.
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

/// <summary>Deletes the expectations that match a filter or come from the pipeline. A connection that starts afterwards has
/// no master.</summary>
[Cmdlet(VerbsCommon.Remove, "ConntrackExpectation", SupportsShouldProcess = true, DefaultParameterSetName = FilterSet)]
[OutputType(typeof(ConntrackExpectation))]
public sealed class RemoveConntrackExpectationCommand : ExpectationCommand
{
    private const string InputSet = "InputObject";

    private PerNamespace<ExpectationDeleter>? _deleters;
    private long _gone;

    /// <summary>The network namespace to work in: a name of <c>ip netns</c>, a path, or the id of a process in it.</summary>
    [Parameter]
    [Alias("Namespace")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public new string? NetworkNamespace
    {
        get => OneNamespaceName;
        set => OneNamespaceName = value;
    }

    /// <summary>An expectation of Get-ConntrackExpectation, or an object with its properties from a file or remoting.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = InputSet)]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>Entries of master connections. It deletes all their expectations.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [ValidateNotNullOrEmpty]
    public PSObject[]? Master { get; set; }

    /// <summary>Emits each expectation that was deleted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == InputSet)
            ForEachInput(InputObject, input => Run(() => RemoveInput(input), input.BaseObject));
        else
            Run(RemoveByFilter);
    }

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() =>
    {
        Flush();
        TellRepeated();
        WriteVerbose(
            $"{Counted.Expectations(Deleters.All.Sum(deleter => deleter.Deleted))} removed, "
            + $"{_gone + Deleters.All.Sum(deleter => deleter.AlreadyGone)} already gone, {Deleters.All.Sum(deleter => deleter.Failed)} failed.");
    });

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _deleters?.Dispose();
        base.Dispose(disposing);
    }

    private PerNamespace<ExpectationDeleter> Deleters =>
        _deleters ??= new(table => new ExpectationTable(table.NetworkNamespace).CreateDeleter(keepDeleted: PassThru));

    private void RemoveInput(PSObject input)
    {
        string? networkNamespace = NamespaceName ?? InputExpectation.NamespaceOf(input);
        try
        {
            object expectation = input.BaseObject is ConntrackExpectation live ? live : input;
            if (InputExpectation.KeyOf(input, TableIn(networkNamespace)) is { } key)
                Remove(key, expectation, networkNamespace);
            else
                _gone++;
        }
        catch (FormatException exception)
        {
            // The error can end the pipeline. Objects before it must be processed first.
            Flush();
            WriteInputError(ErrorFactory.NotAnExpectation(input, exception), ErrorFactory.Describe(exception));
        }
    }

    private void RemoveByFilter()
    {
        EntryKey?[] masters = [.. (Master ?? []).Select(master => ReadMaster(master, needsZone: true))];
        if (masters.Contains(null))
            return;
        ExpectationFilter filter = BuildFilter([.. masters.OfType<EntryKey>()]);
        if (!filter.NamesExpectations)
            ThrowTerminatingError(ErrorFactory.NoExpectationFilter(NamespaceName));
        string? networkNamespace = NamespaceName ?? (Master is null ? null : InputExpectation.NamespaceOf(Master[0]));
        ExpectationTable table = TableIn(networkNamespace);
        foreach (ConntrackExpectation expectation in table.Read(filter))
        {
            if (table.KeyOf(expectation) is { } key)
                Remove(key, expectation, networkNamespace);
            else
                _gone++;
        }
    }

    private void Remove(in ExpectationKey key, object expectation, string? networkNamespace)
    {
        string target = expectation is ConntrackExpectation live ? live.ToString() : key.ToString();
        if (!ShouldProcess(target, "Remove expectation"))
            return;
        ExpectationDeleter deleter = Deleters.In(networkNamespace);
        deleter.Add(key, expectation);
        Report(deleter);
    }

    private protected override void Flush()
    {
        foreach (ExpectationDeleter deleter in Deleters.All)
        {
            deleter.Flush();
            Report(deleter);
        }
    }

    private void Report(ExpectationDeleter deleter)
    {
        foreach (EntryResult result in deleter.TakeResults())
        {
            if (result.Failure is { } failure)
                WriteError(ErrorFactory.From(failure, result.Entry));
            else
                WriteObject(result.Entry);
        }
    }
}
