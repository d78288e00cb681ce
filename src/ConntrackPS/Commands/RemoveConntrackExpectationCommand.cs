using System.Management.Automation;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Errors;
using ConntrackPS.Expectations;
using ConntrackPS.Pipeline;

namespace ConntrackPS.Commands;

/// <summary>Deletes expectations: those of the pipeline, or those that a filter names. Their connections, when they come,
/// are then connections like others.</summary>
[Cmdlet(VerbsCommon.Remove, "ConntrackExpectation", SupportsShouldProcess = true, DefaultParameterSetName = FilterSet)]
[OutputType(typeof(ConntrackExpectation))]
public sealed class RemoveConntrackExpectationCommand : ExpectationCommand
{
    private const string InputSet = "InputObject";

    private PerNamespace<ExpectationDeleter>? _deleters;
    private long _gone;

    /// <summary>An expectation of Get-ConntrackExpectation, or an object that has kept its properties through a file or
    /// remoting.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = InputSet)]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>Entries of connections, all of whose expectations are meant.</summary>
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
            Run(RemoveInput, InputObject.BaseObject);
        else
            Run(RemoveByFilter);
    }

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() =>
    {
        Flush();
        WriteVerbose(
            $"{Deleters.All.Sum(deleter => deleter.Deleted)} expectations removed, "
            + $"{_gone + Deleters.All.Sum(deleter => deleter.AlreadyGone)} were gone already, {Deleters.All.Sum(deleter => deleter.Failed)} failed.");
    });

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _deleters?.Dispose();
        base.Dispose(disposing);
    }

    private PerNamespace<ExpectationDeleter> Deleters =>
        _deleters ??= new(table => new ExpectationTable(table.NetworkNamespace).CreateDeleter(keepDeleted: PassThru));

    private void RemoveInput()
    {
        string? networkNamespace = NamespaceName ?? InputExpectation.NamespaceOf(InputObject);
        try
        {
            object input = InputObject.BaseObject is ConntrackExpectation live ? live : InputObject;
            if (InputExpectation.KeyOf(InputObject, TableIn(networkNamespace)) is { } key)
                Remove(key, input, networkNamespace);
            else
                _gone++;
        }
        catch (FormatException exception)
        {
            // The error may end the pipeline, and what came before it was meant.
            Flush();
            WriteError(ErrorFactory.NotAnExpectation(InputObject, exception));
        }
    }

    private void RemoveByFilter()
    {
        EntryKey?[] masters = [.. (Master ?? []).Select(ReadMaster)];
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

    private void Flush()
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
