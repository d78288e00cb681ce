using System.Diagnostics;
using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Errors;
using ConntrackPS.Pipeline;

namespace ConntrackPS.Commands;

/// <summary>Deletes entries from the connection-tracking table: those of the pipeline, or those that a filter names.</summary>
[Cmdlet(VerbsCommon.Remove, "ConntrackEntry", SupportsShouldProcess = true, DefaultParameterSetName = FilterSet)]
[OutputType(typeof(ConntrackEntry))]
public sealed class RemoveConntrackEntryCommand : FilterCommand, IDisposable
{
    private const string Action = "Remove conntrack entry";

    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly Dictionary<string, EntryDeleter> _deleters = [];
    private readonly CancellationTokenSource _stop = new();
    private DeleteSummary _sum;
    private bool _asksForEach;

    /// <summary>An entry of Get-ConntrackEntry, or an object that has kept its properties through a file or remoting.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = InputSet)]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>Emits each entry that was deleted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        _asksForEach = this.AsksForEach();
        // With input the parameter set is not known before the first object comes.
        if (!MyInvocation.ExpectingInput)
            RefuseEmptyFilter();
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == InputSet)
            Run(() => RemoveInput(InputObject), InputObject.BaseObject);
        else
            Run(RemoveByFilter);
    }

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() =>
    {
        foreach (EntryDeleter deleter in _deleters.Values)
        {
            deleter.Flush();
            Report(deleter);
            Sum(new DeleteSummary(deleter.Deleted, deleter.AlreadyGone, deleter.Failed, IsEstimate: false));
        }

        string about = _sum.IsEstimate ? "about " : "";
        WriteVerbose(
            $"{about}{_sum.Deleted} entries removed, {_sum.AlreadyGone} were gone already, {_sum.Failed} failed, "
            + $"in {Stopwatch.GetElapsedTime(_started).TotalMilliseconds:0} ms.");
    });

    /// <inheritdoc/>
    protected override void StopProcessing() => _stop.Cancel();

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (EntryDeleter deleter in _deleters.Values)
            deleter.Dispose();
        _deleters.Clear();

        // _stop is left alone: StopProcessing may still raise it on its own thread, and it holds no handle.
    }

    private void RemoveInput(PSObject input)
    {
        EntryKey key;
        try
        {
            key = InputEntry.KeyOf(input);
        }
        catch (FormatException exception)
        {
            WriteError(ErrorFactory.NotAnEntry(input, exception.Message));
            return;
        }

        if (!_asksForEach || ShouldProcess(input.BaseObject is ConntrackEntry entry ? entry.ToString() : key.Original.ToString(), Action))
            Delete(key, input.BaseObject is ConntrackEntry live ? live : input, NetworkNamespace ?? InputEntry.NamespaceOf(input));
    }

    private ConntrackFilter RefuseEmptyFilter()
    {
        ConntrackFilter filter = BuildFilter();
        if (ParameterSetName == FilterSet && !filter.NamesEntries)
            ThrowTerminatingError(ErrorFactory.NoFilter(MyInvocation.MyCommand.Name));
        return filter;
    }

    private void RemoveByFilter()
    {
        ConntrackFilter filter = RefuseEmptyFilter();
        ConntrackTable table = new(Namespace());
        WarnAboutMissingData(table.NetworkNamespace);
        WriteDebug(table.Explain(filter));
        if (_asksForEach || PassThru)
            RemoveEach(table, filter);
        else if (ShouldProcess(filter.ToString(), Action))
            Sum(table.Delete(filter, result => WriteError(ErrorFactory.From(result.Failure!, result.Entry)), _stop.Token));
    }

    /// <summary>Decisions and -PassThru need each entry's object.</summary>
    private void RemoveEach(ConntrackTable table, ConntrackFilter filter)
    {
        using EntryStream stream = table.Open(filter);
        using CancellationTokenRegistration registration = _stop.Token.Register(stream.Cancel);
        foreach (IReadOnlyList<ConntrackEntry> batch in stream.Batches())
        {
            foreach (ConntrackEntry entry in batch)
            {
                if (Stopping)
                    return;
                if (!_asksForEach || ShouldProcess(entry.ToString(), Action))
                    Delete(EntryKey.Of(entry), entry, NetworkNamespace);
            }
        }
    }

    private void Delete(in EntryKey key, object entry, string? networkNamespace)
    {
        if (!_deleters.TryGetValue(networkNamespace ?? "", out EntryDeleter? deleter))
        {
            ConntrackTable table = new(networkNamespace is null ? null : Linux.NetworkNamespace.Parse(networkNamespace));
            _deleters.Add(networkNamespace ?? "", deleter = table.CreateDeleter(keepDeleted: PassThru));
        }

        deleter.Add(key, entry);
        Report(deleter);
    }

    private void Sum(DeleteSummary summary) => _sum = new DeleteSummary(
        _sum.Deleted + summary.Deleted,
        _sum.AlreadyGone + summary.AlreadyGone,
        _sum.Failed + summary.Failed,
        _sum.IsEstimate || summary.IsEstimate);

    private void Report(EntryDeleter deleter)
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
